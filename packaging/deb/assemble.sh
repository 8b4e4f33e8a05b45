#!/usr/bin/env bash
# Runs in a clean root, called by build.sh: installs camdaemon to where it will be, and packs what came there.
# Reads CAMDAEMON_VERSION, ADDRESS, MAINTAINER and SOURCE_DATE_EPOCH.
set -euo pipefail
umask 022
export PYTHONDONTWRITEBYTECODE=1 # postinst makes it where the package is installed

# shellcheck source=packaging/common.sh
. /build/source/packaging/common.sh
source=$repository deb=$repository/packaging/deb package=/build/package home=/usr/lib/camdaemon
release=$(. /etc/os-release && printf '%s' "$VERSION_ID")
python=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
next=${python%.*}.$((${python#*.} + 1))

install_camdaemon() {
  python3 -m venv "$home"
  "$home/bin/pip" install --quiet --no-compile --no-cache-dir --constraint "$source/constraints.txt" "${source}[heic,hotkeys]"
  "$home/bin/camdaemon" --version
}

# What only developers need. OpenVINO's plugins for Intel's GPUs and NPUs stay: `camdaemon doctor` offers them.
leave_out() {
  local site=$home/lib/python$python/site-packages
  "$home/bin/python3" -m pip uninstall --quiet --yes pip
  rm -rf "$site"/{setuptools,pkg_resources,_distutils_hack,distutils-precedence.pth} "$site"/setuptools-*.dist-info
  find "$home/bin" -mindepth 1 ! -name 'python*' ! -name camdaemon -delete
  rm -rf "$home"/{include,share,.gitignore} "$site"/pygame/{docs,examples,tests} "$site"/openvino/{cmake,include}
  rm -rf "$site"/openvino_telemetry* # nothing of camdaemon's connects to the network
  find "$site/numpy" -type d \( -name tests -o -name include \) -prune -exec rm -rf {} +
  find "$home" -name '*.so*' -type f -exec chmod 644 {} +
  ln -sf ../../../bin/python3 "$home/bin/python3"
  rm -f "$site"/camdaemon-*.dist-info/direct_url.json # names a folder of this root
}

# Copies a file into the package, with mode 0644, and compresses it if its target says so.
put() { # FILE TARGET
  install -D -m 644 "$1" "$package/${2%.gz}"
  [ "${2%.gz}" = "$2" ] || gzip -9n "$package/${2%.gz}"
}

lay_out() {
  mkdir -p "$package/usr/lib" "$package/usr/bin"
  cp -a "$home" "$package/usr/lib/"
  ln -s ../lib/camdaemon/bin/camdaemon "$package/usr/bin/camdaemon"

  # shellcheck disable=SC2016 # no expansion is meant
  sed -e '/^# `camdaemon service install`/,/^$/ { /^#/d }' -e 's|^ExecStart=%h/.local/bin/|ExecStart=/usr/bin/|' \
    "$source/systemd/camdaemon.service" > /build/camdaemon.service
  put /build/camdaemon.service usr/lib/systemd/user/camdaemon.service
  "$home/bin/camdaemon" man > /build/camdaemon.1 && put /build/camdaemon.1 usr/share/man/man1/camdaemon.1.gz
  for shell in bash:bash-completion/completions/camdaemon zsh:zsh/vendor-completions/_camdaemon \
    fish:fish/vendor_completions.d/camdaemon.fish; do
    "$home/bin/camdaemon" completion "${shell%%:*}" > /build/completion && put /build/completion "usr/share/${shell#*:}"
  done
  if [ -d "$source/packaging/desktop" ]; then
    put "$source/packaging/desktop/camdaemon.desktop" "usr/share/applications/$(read_app_id).desktop"
    for icon in "$source"/packaging/desktop/*.svg; do
      put "$icon" "usr/share/icons/hicolor/scalable/apps/${icon##*/}"
    done
  fi
  put "$source/CHANGELOG.md" usr/share/doc/camdaemon/changelog.gz
  write_changelog > /build/changelog && put /build/changelog usr/share/doc/camdaemon/changelog.Debian.gz
  write_copyright > /build/copyright && put /build/copyright usr/share/doc/camdaemon/copyright
  put "$deb/lintian-overrides" usr/share/lintian/overrides/camdaemon
}

write_changelog() {
  printf 'camdaemon (%s) unstable; urgency=medium\n\n  * Built from camdaemon %s.\n\n -- %s  %s\n' \
    "$full_version" "$CAMDAEMON_VERSION" "$MAINTAINER" "$(date --utc --rfc-email --date="@$SOURCE_DATE_EPOCH")"
}

write_copyright() {
  printf 'camdaemon itself:\n\n'
  cat "$source/LICENSE"
  printf '\nThe modules below %s/lib are unchanged from the Python Package Index but for what\nonly developers need.' "$home"
  printf ' Each has its license in NAME-VERSION.dist-info; the LGPL\nand the GPL are also in /usr/share/common-licenses/LGPL-2.1, LGPL-3 and GPL-2. PyAV and OpenCV bring'
  printf '\nFFmpeg (PyAV with x264 and x265: GPL), pygame brings SDL.\n\n'
  "$home/bin/python3" "$deb/licenses.py"
}

# The packages of Debian whose libraries the modules need and do not bring. OpenVINO loads its plugin for Intel's GPUs, and with
# it OpenCL, only where they are: control suggests what that needs.
find_libraries() {
  local folders libraries
  mkdir -p "$package/DEBIAN" /build/shlibs/debian && cd /build/shlibs
  printf 'Source: camdaemon\n\nPackage: camdaemon\nArchitecture: any\n' > debian/control
  folders=$(find "$package$home" -name '*.so*' -type f -printf '-l%h\n' | sort -u)
  libraries=$(find "$package$home" -name '*.so*' -type f ! -name '*_gpu_plugin.so')
  # shellcheck disable=SC2086 # no file of a wheel has spaces
  dpkg-shlibdeps --ignore-missing-info -O $folders $libraries 2> log | sed -n 's/^shlibs:Depends=//p'
}

write_control() {
  local libraries size
  libraries=$(find_libraries) || true
  [ -n "$libraries" ] || { cat /build/shlibs/log >&2 && exit 1; }
  size=$(du -sk --apparent-size "$package" | cut -f1)
  sed -e "s|@VERSION@|$full_version|" -e "s|@ARCHITECTURE@|$(dpkg --print-architecture)|" -e "s|@MAINTAINER@|$MAINTAINER|" \
    -e "s|@INSTALLED_SIZE@|$size|" -e "s|@PYTHON@|$python|" -e "s|@NEXT_PYTHON@|$next|" -e "s|@LIBRARIES@|$libraries|" \
    -e "${ADDRESS:+s|@HOMEPAGE@|Homepage: $ADDRESS|}" -e '/@HOMEPAGE@/d' "$deb/control.in" > "$package/DEBIAN/control"
  install -m 755 "$deb/postinst" "$deb/prerm" "$package/DEBIAN/"
  (cd "$package" && find usr -type f -print0 | sort -z | xargs -0 md5sum > DEBIAN/md5sums)
}

full_version=$CAMDAEMON_VERSION-1~deb$release
install_camdaemon
leave_out
"$home/bin/camdaemon" --version # still works
lay_out
write_control
find "$package" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
# Level 1: the default of 6 takes minutes for 600 MB of libraries and saves little.
dpkg-deb --root-owner-group -Zxz -z1 --build "$package" "/build/camdaemon_${full_version}_$(dpkg --print-architecture).deb"
