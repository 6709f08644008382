#!/bin/sh
# 用这个移动盘把裸 Debian 12 做成县级节点，不用外网。 From a bare Debian 12 to a county box by this stick alone, as root:
#
#   sh install.sh [SHA256:…]     the fingerprint of the hub's signing key, as the hub's operator tells it
#
# Broken off anywhere, the same again goes on. docs/operating.md, "With a stick alone"; docs/adr/0042.
#   look      can this machine become a box?            unpack    the bundle; Python out of it where there is none
#   copy      the stick to the disk; used is the copy   prepare   Ansible, each wheel by its hash
#   judge     the hub's signature, over all of it       play      box.yml, by this machine on itself
set -eu
umask 022
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive

NAMES='about.txt controller.txt hosts.json install.sh join.bundle songshan.bundle vars.yml'
WORK=/var/cache/songshan/install
JOINED=/etc/songshan/appliance.toml
LOG=/var/log/songshan-install.log
PLAY_S_MAX=7200

main() {
    [ $# -le 1 ] || fail '用法：sh install.sh [SHA256:…]' 'usage: sh install.sh [SHA256:…]'
    stick=$(cd "$(dirname "$0")" && pwd)
    look
    mkdir -p -m 0700 "$WORK"
    exec 9>"$WORK/lock"
    flock --nonblock 9 || fail '已有一次安装在进行，请等它结束' 'another installation is under way here: wait for it'
    copy "$stick"
    judge "${1-}"
    unpack
    prepare
    play
    finish
}

look() {
    step 1 '检查本机' 'look at this machine'
    [ "$(id -u)" -eq 0 ] || fail '须以 root 运行：先 su -，再运行同一条命令' 'not root: su - first, then the same command'
    ID='' VERSION_CODENAME=''
    [ ! -r /etc/os-release ] || . /etc/os-release
    [ "$ID" = debian ] || fail "本机是 ${ID:-未知系统}，不是 Debian；请先安装 Debian 12（最小安装，勾选 SSH）" \
        "this is ${ID:-not known}, not Debian: install Debian 12 first, a minimal one with SSH"
    [ -d /run/systemd/system ] || fail '本机不是以 systemd 启动的；请从硬盘正常启动' 'systemd does not run this machine: boot it from its disk'
    command -v ssh-keygen >/dev/null || fail '缺 ssh-keygen，无法验签；安装 Debian 时请勾选 SSH 服务器' \
        'without ssh-keygen no signature can be checked: install Debian with its SSH server'
}

copy() {
    step 2 '把移动盘拷到本机' 'copy the stick to this machine'
    rm -rf "$WORK/stick"
    mkdir "$WORK/stick"
    for name in hub.pub SHA256SUMS SHA256SUMS.sig $NAMES; do
        [ -f "$1/$name" ] || fail "移动盘上缺 $name：没有写完，请云端重写一个" "the stick lacks $name: it was not finished, have it written again"
        cp "$1/$name" "$WORK/stick/$name" || fail "拷不出 $name：换 USB 口再试；若磁盘满，请换大盘" \
            "cannot copy $name: try another USB port; where the disk is full, a larger disk"
    done
}

# Nothing of the copy is believed before this. What the key signs has a purpose (-n), so no other word of the hub's will do.
judge() {
    step 3 '验签' 'check the signature'
    cd "$WORK/stick"
    read -r kind key _comment <hub.pub || torn hub.pub
    [ "$kind" = ssh-ed25519 ] || torn hub.pub
    case $key in '' | *[!A-Za-z0-9+/=]*) torn hub.pub ;; esac
    printf 'ssh-ed25519 %s\n' "$key" >"$WORK/key.pub"
    printf 'hub namespaces="songshan-install" ssh-ed25519 %s\n' "$key" >"$WORK/signers"
    shown=$(ssh-keygen -l -f "$WORK/key.pub" | cut -d ' ' -f 2)
    case $shown in SHA256:*) ;; *) torn hub.pub ;; esac
    ssh-keygen -Y verify -f "$WORK/signers" -I hub -n songshan-install -s SHA256SUMS.sig <SHA256SUMS >/dev/null 2>&1 || torn SHA256SUMS.sig
    [ "$(cut -c 67- SHA256SUMS)" = "$(printf '%s\n' $NAMES)" ] || torn SHA256SUMS
    bad=$(sha256sum --check --strict --quiet SHA256SUMS 2>/dev/null) || torn "${bad%%:*}"
    compare "$shown" "$1"
    read -r arch suite _version site <about.txt
    [ "$arch $suite" = "$(dpkg --print-architecture) $VERSION_CODENAME" ] || fail "此盘用于 Debian $suite $arch，本机是 $VERSION_CODENAME；请装对应的 Debian" \
        "the stick is for Debian $suite $arch, this is $VERSION_CODENAME: install that Debian"
    [ ! -e "$JOINED" ] || grep -q -x "site = \"$site\"" "$JOINED" || fail "本机已是另一中心的节点，见 $JOINED；换中心须先清空：songshan reset all" \
        "this is the box of another site already, see $JOINED: songshan reset all first"
}

compare() {
    tail -n +2 about.txt
    say "云端签名公钥指纹：$1" "signing key of the hub: $1"
    [ "$2" != "$1" ] || return 0
    [ -z "$2" ] || fail "与所给的指纹不同：$2。不要用这个盘，请向云端要新的" "not the one that was given: $2. Do not use this stick; ask the hub for another"
    say '请打电话与云端核对。相同请输入 yes，否则直接回车。' 'Compare it with the hub by telephone. The same: type yes. Else: Enter.'
    answer=''
    { read -r answer </dev/tty; } 2>/dev/null || say '没有终端可问' 'there is no terminal to ask at'
    [ "$answer" = yes ] || fail '指纹没有核对，什么都没有装。核对后运行：sh install.sh SHA256:…' 'not compared, and nothing was installed. Then: sh install.sh SHA256:…'
}

# A folder of that name is whole: it is on the disk before it is called so.
unpack() {
    step 4 '解包' 'unpack'
    read -r digest _name <<-END
		$(grep ' songshan\.bundle$' SHA256SUMS)
	END
    bundle=$WORK/bundle-$digest
    if [ ! -d "$bundle" ]; then
        rm -rf "$WORK"/bundle-* "$WORK/part" "$WORK/ansible"
        mkdir "$WORK/part"
        tar --extract --no-same-owner --file songshan.bundle --directory "$WORK/part" || fail '解不开：磁盘满了吗？df -h /var' 'cannot be unpacked: is the disk full? df -h /var'
        sync
        mv "$WORK/part" "$bundle"
    fi
    python
}

# apt sees the bundle and nothing else. What a power cut left half installed is put right first.
python() {
    mkdir -p "$WORK/lists/partial"
    printf 'deb [trusted=yes] file:%s/debs ./\n' "$bundle" >"$WORK/sources.list"
    for option in "Dir::Etc::sourcelist \"$WORK/sources.list\"" 'Dir::Etc::sourceparts "/dev/null"' "Dir::State::lists \"$WORK/lists\"" \
        'Dir::Cache::pkgcache ""' 'Dir::Cache::srcpkgcache ""' 'APT::Sandbox::User "root"' 'APT::Install-Recommends "false"' \
        'DPkg::Lock::Timeout "300"' 'Dpkg::Use-Pty "false"' 'Dpkg::Options:: "--force-confold"'; do
        printf '%s;\n' "$option"
    done >"$WORK/apt.conf"
    APT_CONFIG=$WORK/apt.conf
    export APT_CONFIG
    dpkg --force-confold --configure --pending || say '有软件包没有装完，继续修复' 'a package is half installed: it is mended'
    apt-get --quiet --quiet update && apt-get --quiet --quiet --yes --fix-broken install python3 ||
        fail 'Python 装不上；请把上面的话告诉云端' 'Python cannot be installed: tell the hub what is said above'
    unset APT_CONFIG
}

prepare() {
    step 5 '准备 Ansible' 'prepare Ansible'
    [ ! -e "$WORK/ansible/whole" ] || return 0
    rm -rf "$WORK/ansible"
    python3 -m venv --without-pip "$WORK/ansible"
    for pip in "$bundle"/controller/pip-*.whl; do :; done
    "$WORK/ansible/bin/python" "$pip/pip" install --quiet --no-index --find-links "$bundle/controller" --no-deps --require-hashes --no-cache-dir \
        --disable-pip-version-check -r "$WORK/stick/controller.txt" || fail 'Ansible 装不上；请把上面的话告诉云端' 'Ansible cannot be installed: tell the hub what is said above'
    sync
    : >"$WORK/ansible/whole"
}

# What the operator gave counts before what the hub knows of the site; where things lie, and who plays, is decided here.
play() {
    step 6 '安装（约一刻钟，每一步都显示在下面）' 'install; each step is shown below'
    rm -rf "$WORK/inventory"
    mkdir "$WORK/inventory"
    cp -R "$bundle/ansible/inventory/group_vars" "$WORK/stick/hosts.json" "$WORK/inventory/"
    : >>"$LOG"
    chmod 0640 "$LOG"
    cd "$bundle/ansible"
    ANSIBLE_HOME=$WORK/home ANSIBLE_REMOTE_TMP=$WORK/tmp ANSIBLE_LOG_PATH=$LOG timeout --foreground "$PLAY_S_MAX" \
        "$WORK/ansible/bin/ansible-playbook" --inventory "$WORK/inventory/hosts.json" --extra-vars "@$WORK/stick/vars.yml" \
        --extra-vars "songshan_bundle_dir=$bundle songshan_join_bundle=$WORK/stick/join.bundle" \
        --extra-vars '{"ansible_become": false, "box_join_later": true}' box.yml ||
        fail "没有装完。原因在上面 fatal 一行，也在 $LOG；处理后再运行同一条命令" "not finished. The line with fatal above says why, and $LOG; put that right and give the same command again"
}

finish() {
    cd /
    rm -rf "$WORK"
    if [ -e /etc/songshan/join.bundle ]; then
        say '完成：已可播出（垫片）。云端连不上，线路一通自动入网；看 songshan status' \
            'Done: it is on the air, with the slate. The hub cannot be reached; it joins by itself when there is a line. songshan status'
    else
        say '完成：已入网。拔下移动盘；看 songshan status；抄下恢复码：songshan backup --show-code' \
            'Done: it has joined. Pull the stick out; songshan status; write down the recovery code: songshan backup --show-code'
    fi
}

torn() {
    fail "验签不过（$1）：盘坏了，或被人动过。什么都没有装，请云端重写一个" "the signature does not hold ($1): the stick is damaged, or somebody has changed it. Nothing was installed; have it written again"
}

step() {
    printf '\n[%s/6] %s / %s\n' "$1" "$2" "$3"
}

say() {
    printf '%s\n%s\n' "$1" "$2"
}

fail() {
    printf '\n错误：%s\nerror: %s\n' "$1" "$2" >&2
    exit 1
}

main "$@"
