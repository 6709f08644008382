#!/bin/sh
# Sees that each command is there: arguments are command:package. As root it installs what is missing from Debian;
# as anybody else it says which line to run and exits 2.
set -eu

missing=""
for pair in "$@"; do
    command=${pair%%:*}
    package=${pair#*:}
    case $command in
        gst-plugins) ls /usr/lib/*/gstreamer-1.0/libgst*hls*.so >/dev/null 2>&1 && continue ;;
        gst-codecs) ls /usr/lib/*/gstreamer-1.0/libgstlibav.so >/dev/null 2>&1 && continue ;;
        console-fonts) ls /usr/share/consolefonts/Lat15-*.psf.gz >/dev/null 2>&1 && continue ;;
        vlc-plugin) ls /usr/lib/*/vlc/plugins/demux >/dev/null 2>&1 && continue ;;
        *) PATH="$PATH:/usr/sbin:/sbin" command -v "$command" >/dev/null 2>&1 && continue ;;
    esac
    missing="$missing $package"
done
# Debian's python3 has the venv module, but not ensurepip, without this package.
python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"

[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
    echo "缺少系统软件包，请运行 / system packages are missing, please run:" >&2
    echo "    sudo apt-get install --yes --no-install-recommends$missing" >&2
    exit 2
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet=2
# shellcheck disable=SC2086  # one word per package
apt-get install --quiet=2 --yes --no-install-recommends $missing
