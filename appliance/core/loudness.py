"""Loudness (响度) by EBU R 128: what was measured, and the one constant gain that brings it to the target.

The gain is the same for the whole clip, so that what was soft on purpose stays soft, and the same source gives the same
bytes (docs/adr/0020). Peaks that the gain would push over the ceiling are held by a limiter, and only then.
"""

from typing import Final

import msgspec

LOUDNESS_LUFS: Final = -24.0
"""The target where nobody says another: GY/T 282."""
CEILING_DBTP: Final = -2.0
"""True peak: what is left is for the coder, which overshoots."""
SILENT_LUFS: Final = -60.0
"""What is softer than this is no sound that anybody meant, and is left alone: only its noise could be raised."""
GAIN_DB_MAX: Final = 20.0
"""Whatever needs more is mostly noise by then."""
RATE: Final = 48_000
OVERSAMPLED: Final = 4 * RATE
"""A peak between two samples is only seen with more of them (ITU-R BS.1770, annex 2)."""
SILENCE_DB: Final = -60
SILENCE_MIN_S: Final = 1.0


class Loudness(msgspec.Struct, frozen=True):
    """Integrated loudness and true peak; None where there was nothing but silence, or too little to measure."""

    lufs: float | None
    peak_dbtp: float | None


class Levelling(msgspec.Struct, frozen=True):
    """What is done to a sound: `gain_db` throughout, and peaks held at the ceiling if `is_limited`."""

    gain_db: float = 0.0
    is_limited: bool = False


AS_IT_IS: Final = Levelling()


def is_silent(heard: Loudness | None) -> bool:
    """Whether there is nothing to be heard in a sound that is there."""
    return heard is not None and (heard.lufs is None or heard.lufs < SILENT_LUFS)


def levelling(heard: Loudness | None, target_lufs: float) -> Levelling:
    """How a sound is brought to the target; not at all where there is none, or only silence."""
    if heard is None or heard.lufs is None or is_silent(heard):
        return AS_IT_IS
    gain_db = round(min(GAIN_DB_MAX, target_lufs - heard.lufs), 1)
    return Levelling(gain_db, heard.peak_dbtp is not None and heard.peak_dbtp + gain_db > CEILING_DBTP)


def levelling_filters(done: Levelling) -> list[str]:
    """The filters that do it. The limiter looks ahead and gives the time back, so nothing moves."""
    filters = [f"volume={done.gain_db:.1f}dB:precision=float"] if done.gain_db else []
    if done.is_limited:
        limit = 10 ** (CEILING_DBTP / 20)
        filters += [
            f"aresample={OVERSAMPLED}",
            f"alimiter=limit={limit:.6f}:attack=5:release=50:level=false:latency=true",
            f"aresample={RATE}",
        ]
    return filters


def meter_filter() -> str:
    """Measures what goes through it; the sum is told when it ends."""
    return "ebur128=peak=true:framelog=verbose"


def silence_filter() -> str:
    """Tells where it is silent."""
    return f"silencedetect=noise={SILENCE_DB}dB:duration={SILENCE_MIN_S:g}"
