#!/usr/bin/env bash
# Several real SSH hosts on one machine, for tests: each with its own network, processes, name, /home and /tmp, its own sshd and host key.
#   hosts.sh up               starts them (installs sshd and two shells where they are missing: Debian, root)
#   hosts.sh down             ends them and takes the network away
#   hosts.sh clear            the same, and removes all that they hold: each build leaves its binary, gigabytes within days
#   hosts.sh cut|mend HOST    the wire: packets vanish, nobody is told
#   hosts.sh freeze|thaw HOST sshd and all below it stand still: TCP accepts, nobody answers
#   hosts.sh reboot HOST      everything that the host runs is killed, sshd starts again, as after another start of the kernel; files stay
#   hosts.sh exec HOST CMD…   as root in that host
#   hosts.sh clock HOST S [S] its clock is so many seconds ahead; so much later since its start ($HOSTS_CLOCKS must be set when it starts)
# What else is set when hosts start:
#   HOSTS_SFTP  sshd offers sftp, which scp asks for and neronet does not
#   HOSTS_OWN   each has below $HOSTS_DIR/HOST programs (bin/), GPUs as testdata/nvml tells them (gpus/), a logind's configuration (systemd/)
#               and users who linger (state/linger/)
# Another group of hosts beside these has $HOSTS, $HOSTS_NET, $HOSTS_BRIDGE and $HOSTS_DIR of its own.
# Everything is below $HOSTS_DIR. `ssh -F $HOSTS_DIR/config alpha` works afterwards; a user of another name than `student` is
# a case of its own:
#   tcsh, fish   login shells that are none of Bourne's       noisy    prints and asks in its .bashrc
#   closed       a login shell that refuses                   locked   knows no key; its password is `open sesame`
#   full         a home with no room left                     fixed    a home that cannot be written to
# A process is ended only by the pid that was recorded for it, while that is still the same process.
set -eu
D=${HOSTS_DIR:?a folder for what belongs to the hosts}
NET=${HOSTS_NET:-10.213.9}
BRIDGE=${HOSTS_BRIDGE:-nr-br}
read -r -a HOSTS <<<"${HOSTS:-alpha beta}"
USERS=(student tcsh fish noisy closed locked full fixed)
UID0=26001
HERE=$(cd "$(dirname "$0")" && pwd)

say() { printf '%s\n' "$*" >&2; }
die() { say "hosts.sh: $*"; exit 1; }

number() {
    local i
    for i in "${!HOSTS[@]}"; do [ "${HOSTS[$i]}" != "$1" ] || { echo $((i + 1)); return; }; done
    die "there is no host $1"
}
address() { echo "$NET.$((10 + $(number "$1")))"; }
space() { echo "nr-$1"; }

start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }
alive() {
    local pid since
    [ -s "$1" ] && read -r pid since <"$1" && [ -n "$since" ] && [ "$(start_time "$pid")" = "$since" ]
}
pid_in() { cut -d ' ' -f 1 "$1"; }
stop() {
    if alive "$1"; then
        local pid
        pid=$(pid_in "$1")
        kill -KILL "$pid" 2>/dev/null || true
        while alive "$1"; do sleep 0.02; done
    fi
    rm -f "$1"
}

need() {
    local missing=()
    while [ $# -gt 0 ]; do
        [ -e "$1" ] || missing+=("$2")
        shift 2
    done
    [ ${#missing[@]} = 0 ] && return
    say "installing ${missing[*]}"
    # No service is to start by itself while packages are unpacked.
    local policy=/usr/sbin/policy-rc.d made=
    [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy; chmod 755 $policy; made=1; }
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -qq)
    "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >"$D/apt.log" 2>&1 ||
        { "${apt[@]}" update >>"$D/apt.log" 2>&1; "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >>"$D/apt.log" 2>&1; } ||
        { tail -n 5 "$D/apt.log" >&2; [ -z "$made" ] || rm -f $policy; die "apt-get failed"; }
    [ -z "$made" ] || rm -f $policy
}

# Users that this machine does not have: they are in the hosts' /etc/passwd alone.
accounts() {
    local at=0 user shell
    grep -vE "^($(IFS='|'; echo "${USERS[*]}")):" /etc/passwd >"$D/passwd"
    grep -vE "^($(IFS='|'; echo "${USERS[*]}")):" /etc/shadow >"$D/shadow"
    for user in "${USERS[@]}"; do
        case $user in
            tcsh) shell=/bin/tcsh ;;
            fish) shell=/usr/bin/fish ;;
            closed) shell=/usr/sbin/nologin ;;
            *) shell=/bin/bash ;;
        esac
        echo "$user:x:$((UID0 + at)):$((UID0 + at))::/home/$user:$shell" >>"$D/passwd"
        local password='*'
        [ "$user" != locked ] || password=$(openssl passwd -6 'open sesame')
        echo "$user:$password:19000:0:99999:7:::" >>"$D/shadow"
        at=$((at + 1))
    done
    chmod 644 "$D/passwd"
    chmod 600 "$D/shadow"
}

settings() {
    # Put in their places when they are whole: other tests may have begun.
    local host user config=$D/config.$$ known=$D/known_hosts.$$
    [ -e "$D/id" ] || ssh-keygen -q -t ed25519 -N '' -C tests -f "$D/id"
    : >"$known"
    : >"$config"
    mkdir -p "$D/keys"
    for user in "${USERS[@]}"; do
        [ "$user" = locked ] || cp "$D/id.pub" "$D/keys/$user"
    done
    chmod 755 "$D" "$D/keys"
    chmod 644 "$D"/keys/*
    for host in "${HOSTS[@]}"; do
        mkdir -p "$D/$host"
        [ -e "$D/$host/key" ] || ssh-keygen -q -t ed25519 -N '' -C "$host" -f "$D/$host/key"
        echo "$(address "$host") $(cut -d ' ' -f 1,2 "$D/$host/key.pub")" >>"$known"
        cat >>"$config" <<EOF
Host $host
  HostName $(address "$host")
  User student
  IdentityFile "$D/id"
  IdentitiesOnly yes
  UserKnownHostsFile "$D/known_hosts"
  StrictHostKeyChecking yes
EOF
        cat >"$D/$host/sshd_config" <<EOF
ListenAddress $(address "$host"):22
HostKey "$D/$host/key"
PidFile none
AuthorizedKeysFile "$D/keys/%u"
StrictModes no
PasswordAuthentication yes
KbdInteractiveAuthentication no
PermitRootLogin no
UsePAM no
AllowUsers ${USERS[*]}
MaxStartups 100
PrintMotd no
PrintLastLog no
EOF
        [ -z "${HOSTS_SFTP:-}" ] || echo "Subsystem sftp internal-sftp" >>"$D/$host/sshd_config"
        [ -z "${HOSTS_OWN:-}" ] || echo "SetEnv PATH=$D/$host/bin:/usr/local/bin:/usr/bin:/bin LD_LIBRARY_PATH=$D/$host/gpus" >>"$D/$host/sshd_config"
        [ -z "${HOSTS_CLOCKS:-}" ] || echo "SetEnv LD_PRELOAD=$D/clock.so HOST_CLOCK=$D/$host/clock TZ=UTC0" >>"$D/$host/sshd_config"
    done
    mv "$known" "$D/known_hosts"
    mv "$config" "$D/config"
}

# Read at each look, so that it is changed at once.
set_clock() { printf '%s %s\n' "$2" "$3" >"$D/$1/clock.new" && mv "$D/$1/clock.new" "$D/$1/clock"; }

# The first process of a host. What it mounts is seen by its own alone.
# shellcheck disable=SC2016 # it is filled in there
BOOT='
set -e
hostname "$HOST"
mount --make-rprivate /
mount -t proc proc /proc
cat /proc/sys/kernel/random/uuid >"$DIR/boot_id"
mount --bind "$DIR/boot_id" /proc/sys/kernel/random/boot_id
mkdir -p /run/sshd "$DIR"/{home,tmp}
chmod 1777 "$DIR/tmp"
mount --bind "$DIR/home" /home
mount --bind "$ALL/passwd" /etc/passwd
mount --bind "$ALL/shadow" /etc/shadow
for user in $USERS; do
    [ -d "/home/$user" ] || cp -rT /etc/skel "/home/$user"
    chown -R "$user:" "/home/$user" 2>/dev/null || chown -R "$(id -u "$user")" "/home/$user"
done
printf "%s\n" "echo Welcome to the cluster" "echo quota: 99%" "read -r -t 0 line" "stty -echo" >/home/noisy/.bashrc
mount -t tmpfs -o "size=64k,mode=700,uid=$(id -u full)" tmpfs /home/full
head -c 200000 /dev/zero >/home/full/filler 2>/dev/null || true
mount --bind /home/fixed /home/fixed
mount -o remount,ro,bind /home/fixed
if [ -n "$OWN" ]; then
    # As in most distributions that clusters have: bash reads what it carries out byte by byte.
    mount --bind "$(command -v bash)" "$(readlink -f /bin/sh)"
    mkdir -p /etc/systemd /var/lib/systemd
    mount --bind "$DIR/systemd" /etc/systemd
    mount --bind "$DIR/state" /var/lib/systemd
    # A logind of this machine would answer for its own.
    [ ! -d /run/dbus ] || mount -t tmpfs tmpfs /run/dbus
fi
# What belongs to the hosts may lie below /tmp itself.
case $ALL in /tmp/*) mkdir -p "$DIR/tmp${ALL#/tmp}"; mount --bind "$ALL" "$DIR/tmp${ALL#/tmp}" ;; esac
mount --rbind "$DIR/tmp" /tmp
exec /usr/sbin/sshd -D -e -f "$DIR/sshd_config"
'

start() {
    alive "$D/$1.pid" && return
    setsid ip netns exec "$(space "$1")" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOST="$1" DIR="$D/$1" ALL="$D" USERS="${USERS[*]}" OWN="${HOSTS_OWN:-}" \
        unshare --pid --mount --uts --ipc --fork --kill-child=KILL bash -c "$BOOT" </dev/null >>"$D/$1/log" 2>&1 &
    echo "$! $(start_time $!)" >"$D/$1.pid"
    local until=$((SECONDS + 20))
    until (exec 3<>"/dev/tcp/$(address "$1")/22") 2>/dev/null; do
        [ $SECONDS -lt $until ] || { tail -n 3 "$D/$1/log" >&2; die "$1 does not listen"; }
        sleep 0.05
    done
}

# The sshd of a host, seen from outside, and all below it.
inner() { local pid; pid=$(pid_in "$D/$1.pid"); cut -d ' ' -f 1 "/proc/$pid/task/$pid/children"; }
tree() {
    local pid
    for pid in $1; do
        echo "$pid"
        tree "$(cat "/proc/$pid/task/$pid/children" 2>/dev/null)"
    done
}

case ${1:-} in
    up)
        [ "$(id -u)" = 0 ] || die "only root can start hosts"
        mkdir -p "$D"
        need /usr/sbin/sshd openssh-server /usr/bin/ssh-keygen openssh-client /sbin/ip iproute2 /bin/tcsh tcsh /usr/bin/fish fish /usr/bin/openssl openssl
        mkdir -p /run/sshd
        accounts
        settings
        if [ -n "${HOSTS_CLOCKS:-}" ]; then
            cc -shared -fPIC -O1 -o "$D/clock.so.new" "$HERE/clock.c" && mv "$D/clock.so.new" "$D/clock.so"
            for host in "${HOSTS[@]}"; do set_clock "$host" 0 0; done
        fi
        if [ -n "${HOSTS_OWN:-}" ]; then
            for host in "${HOSTS[@]}"; do
                mkdir -p "$D/$host"/{bin,gpus,systemd,state/linger}
                library="$D/$host/gpus/libnvidia-ml.so.1"
                cc -shared -fPIC -o "$library.new" "$HERE/../../testdata/nvml/stand_in.c" && mv "$library.new" "$library"
            done
        fi
        # Without the bridge these addresses must not leave by the default route.
        ip route replace unreachable "$NET.0/24" metric 4000
        ip link show "$BRIDGE" >/dev/null 2>&1 || { ip link add "$BRIDGE" type bridge; ip addr add "$NET.1/24" dev "$BRIDGE"; ip link set "$BRIDGE" up; }
        for host in "${HOSTS[@]}"; do
            name=$(space "$host")
            ip netns list | grep -qw "$name" && continue
            ip netns add "$name"
            ip link add "nv-$host" type veth peer name eth0 netns "$name"
            ip link set "nv-$host" master "$BRIDGE" up
            ip -n "$name" link set lo up
            ip -n "$name" addr add "$(address "$host")/24" dev eth0
            ip -n "$name" link set eth0 up
        done
        for host in "${HOSTS[@]}"; do start "$host"; done
        ;;
    down | clear)
        for host in "${HOSTS[@]}"; do
            stop "$D/$host.pid"
            ip netns del "$(space "$host")" 2>/dev/null || true
            ip link del "nv-$host" 2>/dev/null || true
        done
        ip link del "$BRIDGE" 2>/dev/null || true
        ip route del unreachable "$NET.0/24" metric 4000 2>/dev/null || true
        # Marked as ours by what `up` leaves there.
        [ "$1" = down ] || [ ! -e "$D/config" ] || rm -rf --one-file-system "$D"
        ;;
    cut) ip link set "nv-$2" down ;;
    mend) ip link set "nv-$2" up ;;
    # Some may have ended since they were listed.
    freeze) for pid in $(tree "$(inner "$2")"); do kill -STOP "$pid" 2>/dev/null || true; done ;;
    thaw) for pid in $(tree "$(inner "$2")"); do kill -CONT "$pid" 2>/dev/null || true; done ;;
    clock) set_clock "$2" "$3" "${4:-0}" ;;
    reboot) stop "$D/$2.pid"; start "$2" ;;
    exec)
        host=$2
        shift 2
        exec nsenter -t "$(inner "$host")" -a -- "$@"
        ;;
    *) die "up, down, clear, or cut, mend, freeze, thaw, reboot, clock, exec of a host" ;;
esac
