# shellcheck shell=bash
# Clean roots of Debian releases, for the scripts that build and try the package. Sourced after common.sh. Needs root.
#
# No mirror is written down: it is the one that this machine's apt uses, or $MIRROR. Nothing stays mounted: what `enter`
# mounts ends with the command that it runs.

readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# Prints "URI SUITE" for a release: this machine's archives of Debian, with its release's name replaced.
list_archives() { # RELEASE
  local release=$1 here archives
  if [ -n "${MIRROR-}" ]; then
    printf '%s %s\n' "$MIRROR" "$release"
    return
  fi
  here=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME-}")
  # shellcheck disable=SC2016 # apt replaces these
  archives=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 'Origin: Debian' |
    awk -v here="$here" -v release="$release" '$2 == here || $2 ~ "^" here "-(security|updates)$" { sub(here, release, $2)
      print $1, $2 }' | sort -u)
  [ -n "$archives" ] || fail "this machine's apt knows no archive of Debian. Run: apt-get update, or give one as MIRROR="
  printf '%s\n' "$archives"
}

# Makes a minimal root with apt, whose sources are those archives.
make_root() { # RELEASE FOLDER [PACKAGE...]
  local release=$1 folder=$2 options=() line packages
  shift 2
  [ "$(id -u)" = 0 ] || fail "only root can make a clean root. Run: sudo $0"
  command -v mmdebstrap > /dev/null || fail "mmdebstrap is missing. Run: sudo apt install mmdebstrap"
  [ -r "$KEYRING" ] || fail "Debian's keys are missing. Run: sudo apt install debian-archive-keyring"
  while read -r line; do # its proxy, and how it treats the age of archives
    options+=("--aptopt=$line")
  done < <(apt-config dump | grep -E '^Acquire::(https?::Proxy|Check-)')
  packages=$(IFS=, && printf '%s' "$*")
  say "A clean root of $release"
  list_archives "$release" | sed "s|^\([^ ]*\) \(.*\)|deb [signed-by=$KEYRING] \1 \2 main|" |
    mmdebstrap --quiet --mode=root --variant=apt ${packages:+"--include=$packages"} "${options[@]}" "$release" "$folder" -
}

# Runs a command in a root, with its own /proc and /dev and this machine's name servers.
enter() { # FOLDER COMMAND...
  # shellcheck disable=SC2016 # the inner shell replaces these
  unshare --mount --pid --fork --kill-child bash -euc '
    root=$1 && shift
    mount -t proc proc "$root/proc"
    mount -t tmpfs -o mode=755 dev "$root/dev"
    mkdir "$root/dev/pts" "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
    mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
    ln -s pts/ptmx "$root/dev/ptmx" && ln -s /proc/self/fd "$root/dev/fd"
    for name in null zero full random urandom tty; do
      touch "$root/dev/$name" && mount --bind "/dev/$name" "$root/dev/$name"
    done
    touch "$root/etc/resolv.conf" && mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
    exec chroot "$root" env --ignore-environment HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
      PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"' enter "$@"
}
