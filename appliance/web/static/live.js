// The channel's player. What hls.js cannot repair by itself is repaired here, for as long as the page is open:
// a network error that it gives up on (the box restarts) is started again, a media error is recovered, and a list that it
// could not read is loaded anew. What is not repaired by that within a few seconds begins anew.

"use strict";

(() => {
  const stage = document.querySelector("[data-live]");
  const video = stage.querySelector("video, audio");
  const say = stage.querySelector(".say");
  const words = stage.dataset;
  const RETRY_MS = 1500;
  const REFRESH_MS = 60000;
  const AGAIN_MS = 5000;
  const events = [];
  let hls = null;
  let source = words.live;
  let shifted = false;
  let recoveredAt = -Infinity;
  let retry = 0;

  // What happened to the player, for support and for tests.
  window.songshanPlayer = { video, events, hls: () => hls, shift, seeAgain };

  function note(kind, detail) {
    events.push({ at: Date.now(), kind, detail });
    if (events.length > 500) events.shift();
  }

  function show(text) {
    say.textContent = text;
  }

  // One repair at a time: errors come in swarms, and each would undo the repair of the one before.
  function soon(repair) {
    clearTimeout(retry);
    retry = setTimeout(repair, RETRY_MS);
  }

  function recover(data) {
    note(data.fatal ? "fatal" : "error", data.details);
    if (!data.fatal) return;
    show(words.again);
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR) {
      mend();
    } else if (data.details.startsWith("manifest") || data.details === "levelParsingError") {
      soon(() => play(source, at()));
    } else {
      soon(() => hls.startLoad());
    }
  }

  // A repaired media element stands at first; what does not move after a while is begun anew.
  function mend() {
    const from = at();
    const again = performance.now() - recoveredAt < AGAIN_MS;
    recoveredAt = performance.now();
    if (again) {
      soon(() => play(source, from));
      return;
    }
    hls.recoverMediaError();
    video.play().catch(() => {});
    const position = video.currentTime;
    clearTimeout(retry);
    retry = setTimeout(() => {
      if (video.currentTime === position || video.readyState < 3) play(source, from);
    }, AGAIN_MS);
  }

  // Where the viewer is, when that is not the live end: in milliseconds since 1970.
  function at() {
    return source !== words.live && hls && hls.playingDate ? hls.playingDate.getTime() : undefined;
  }

  function play(url, from) {
    source = url;
    if (!window.Hls || !Hls.isSupported()) {
      video.src = url;
      startPlaying();
      return;
    }
    clearTimeout(retry);
    if (hls) hls.destroy();
    hls = new Hls({
      workerPath: words.worker,
      lowLatencyMode: false,
      liveSyncDurationCount: 3,
      backBufferLength: 60,
      liveDurationInfinity: url === words.live,
    });
    hls.on(Hls.Events.ERROR, (_event, data) => recover(data));
    hls.once(Hls.Events.MANIFEST_PARSED, startPlaying);
    if (from) seekWhenKnown(from);
    hls.loadSource(url);
    hls.attachMedia(video);
  }

  // The list tells which programme time each segment has; the player knows only its own time.
  function seekWhenKnown(from) {
    let fragments = [];
    hls.on(Hls.Events.LEVEL_UPDATED, (_event, data) => { fragments = data.details.fragments; });
    video.addEventListener("loadedmetadata", () => {
      const first = fragments.find((each) => each.programDateTime + each.duration * 1000 > from);
      if (first) video.currentTime = first.start + Math.max(0, (from - first.programDateTime) / 1000);
    }, { once: true });
  }

  function startPlaying() {
    // Browsers let a page start by itself only when it is silent; then a touch brings the sound.
    video.play().catch(() => {
      video.muted = true;
      video.play().then(() => show(words.muted), () => show(words.touch));
    });
  }

  video.addEventListener("playing", () => show(video.muted && say.textContent === words.muted ? words.muted : ""));
  video.addEventListener("waiting", () => { note("waiting"); show(words.wait); });
  video.addEventListener("volumechange", () => { if (!video.muted) show(""); });
  video.addEventListener("error", () => {
    note("media", video.error && video.error.message);
    // A browser that plays lists by itself does not try again.
    if (!hls) soon(() => play(source));
  });

  // Watch again what was on at a moment, in milliseconds since 1970.
  function shift(from) {
    away(words.dvr, from);
  }

  // Watch a programme that is over, from its beginning.
  function seeAgain(url) {
    away(url);
  }

  function away(url, from) {
    shifted = true;
    play(url, from);
    markShifted();
    stage.scrollIntoView();
  }

  function markShifted() {
    document.querySelector("[data-back]").hidden = !shifted;
  }

  // The guide is replaced while the page is open, so its buttons are listened for above it.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button && button.dataset.from) shift(Number(button.dataset.from));
    if (button && button.dataset.catchup) seeAgain(button.dataset.catchup);
    if (button && "back" in button.dataset) {
      shifted = false;
      play(words.live);
      markShifted();
    }
  });

  async function refresh() {
    const guide = document.querySelector("[data-guide]");
    if (document.hidden || guide.querySelector("details[open]")) return;
    const answer = await fetch(location.href).catch(() => null);
    if (!answer || !answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-guide]");
    if (fresh) guide.replaceChildren(...fresh.childNodes);
    markShifted();
  }
  setInterval(refresh, REFRESH_MS);

  show(words.wait);
  play(words.live);
})();
