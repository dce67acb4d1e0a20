#!/bin/sh
# From a machine with nothing on it to `setup-llm-dev`: without git, make, Python, and without rights of root.
#
#   sh bootstrap.sh [OPTIONS] [WORDS FOR setup-llm-dev]      see usage() below, or --help
#
# What it trusts: itself, and the sha256 of uv written below; so fetch it over https and read it before you run it.
# A copy that was cut short anywhere does nothing: everything is in functions, and the last line calls them.
set -euf

VERSION=0.1.0
# Empty as long as no version is on the public index: nobody holds the name there yet, so nothing is asked by it.
PUBLISHED=''
# What setup-llm-dev knows without a command; anything else that begins with a dash is taken for a slip of the pen.
ITS_OPTIONS='-q --quiet -v --verbose -y --yes --json --no-color --home --workspace --version --machine --assume --torch
    --python --only --skip --require --pycharm-archive --pycharm-sha256 --upgrade --no-wait
    --install-driver'
UV_VERSION=0.13.9
# The static builds on Linux: they run with every libc. Name and sha256 of the files on the package index.
UV_LINUX_X86_64='musllinux_1_1_x86_64 2c45530751517d6c3bbc69a19473f6effe47cce047bede01ffd8af7ea7b36b25'
UV_LINUX_AARCH64='manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64 5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe'
UV_MACOS_X86_64='macosx_10_12_x86_64 c16ed11e013557536b3e60065f1b912f6407bd6518e041b961e23ef9e6b4fbf5'
UV_MACOS_AARCH64='macosx_11_0_arm64 66c512266d633bef48384a1f53003f41f2a8e7b36fe6e7fbfd3e0fd52d96fa63'
# The public index of Python packages, in parts: its name is a default here and nothing more, see index_of_user().
PUBLIC_INDEX="https://$(printf '%s%s.%s' py pi org)/simple"
# In the order of manifests/catalog/mirrors.toml, where the source of each is named. They carry; the hashes decide.
INDEX_MIRRORS='https://pypi.tuna.tsinghua.edu.cn/simple
    https://mirrors.aliyun.com/pypi/simple
    https://mirrors.huaweicloud.com/repository/pypi/simple'
PYTHON_MIRRORS='https://mirror.nju.edu.cn/github-release/astral-sh/python-build-standalone
    https://registry.npmmirror.com/-/binary/python-build-standalone'
PATIENCE=5 # seconds in which a host must answer before a mirror is asked
STALL=30   # seconds without progress after which a download is given up

usage() {
    say "usage: sh bootstrap.sh [OPTIONS] [WORDS FOR setup-llm-dev]

Installs setup-llm-dev for you alone (with uv, and a Python of uv's if you have none from 3.11 on),
then runs it with the words that are left; without words it sets up this machine by the default recipe.
The options stand before the words; what stands after \`--\` is for setup-llm-dev, whatever it is.

  --dry-run     say what would be done; touch nothing, ask no host
  --no-run      install only
  --from PATH   install this wheel or checkout; needed until a version is published,
                but not where this script lies in a checkout
  --path        let uv add its folder for programs to PATH in your shell's profile; nothing else edits a profile
  --uninstall   remove what setup-llm-dev made, then the program; -y where nobody can be asked
  --help        this text

Honoured: UV_DEFAULT_INDEX, SETUP_LLM_DEV_MIRRORS_PYPI, PIP_INDEX_URL, pip's files (index-url, cert, proxy),
UV_PYTHON_INSTALL_MIRROR, HTTPS_PROXY, SETUP_LLM_DEV_VERSION, SETUP_LLM_DEV_SHA256 (of the wheel of that version).
Exit codes are those of setup-llm-dev: 2 wrong use, 3 refused, 4 unreachable, 5 wrong bytes, 6 something is missing." \
        "用法：sh bootstrap.sh [选项] [交给 setup-llm-dev 的参数]

只为您自己安装 setup-llm-dev（使用 uv；若没有 3.11 以上的 Python，由 uv 下载一个），
然后用其余参数运行它；不带参数就按默认配方搭建本机。
选项写在参数前面；\`--\` 之后的一律交给 setup-llm-dev。

  --dry-run     只说明会做什么；什么都不动，不联网
  --no-run      只安装，不运行
  --from PATH   安装这个 wheel 或源码目录；在正式发布之前必须给出，
                但脚本就在源码目录里时不必
  --path        让 uv 把它的程序目录写进您的 shell 配置的 PATH；除此之外不改任何配置
  --uninstall   先删除 setup-llm-dev 所做的一切，再删除程序本身；无人可问时须加 -y
  --help        本说明

沿用：UV_DEFAULT_INDEX、SETUP_LLM_DEV_MIRRORS_PYPI、PIP_INDEX_URL、pip 的配置文件（index-url、cert、proxy）、
UV_PYTHON_INSTALL_MIRROR、HTTPS_PROXY、SETUP_LLM_DEV_VERSION、SETUP_LLM_DEV_SHA256（该版本 wheel 的哈希）。
退出码与 setup-llm-dev 相同：2 用法错误，3 拒绝，4 无法访问，5 字节不符，6 缺少程序或空间。"
}

main() {
    from='' dry='' run=1 path='' remove='' folder='' uv='' words=''
    version=${SETUP_LLM_DEV_VERSION:-$VERSION}
    choose_language
    while [ $# -gt 0 ]; do
        case $1 in
            -h | --help)
                usage
                return 0
                ;;
            --dry-run) dry=1 ;;
            --no-run) run='' ;;
            --path) path=1 ;;
            --uninstall) remove=1 ;;
            --from=?*) from=${1#--from=} ;;
            --from | --from=)
                [ $# -gt 1 ] || fail 2 "--from needs a path" "--from 后面要写路径"
                from=$2
                shift
                ;;
            --)
                words=free
                shift
                break
                ;;
            -*)
                is_its_option "${1%%=*}" || fail 2 "unknown option: $1; see --help" "未知选项：${1}；见 --help"
                break
                ;;
            *) break ;;
        esac
        shift
    done
    [ -n "$words" ] || check_order "$@"
    check_system
    find_source
    check_home
    choose_wheel
    choose_source
    places
    if [ -n "$remove" ]; then
        uninstall "$@"
        return
    fi
    is_installed || check_published
    announce "$@"
    [ -z "$dry" ] || return 0
    if is_installed; then
        say "setup-llm-dev $version is installed already" "setup-llm-dev $version 已经安装"
    else
        check_programs
        make_folder
        install
    fi
    [ -z "$path" ] || add_to_path
    clean
    [ -z "$run" ] || start "$@"
}

is_its_option() { # NAME
    for option in $ITS_OPTIONS; do
        [ "$option" != "$1" ] || return 0
    done
    return 1
}

check_order() { # WORDS for setup-llm-dev: options of this script among them would be lost there
    for word in "$@"; do
        case $word in
            --dry-run | --no-run | --path | --uninstall | --from | --from=*)
                fail 2 "$word is an option of this script: write it before the words for setup-llm-dev" \
                    "$word 是本脚本的选项，要写在交给 setup-llm-dev 的参数前面"
                ;;
        esac
    done
}

# --- words ----------------------------------------------------------------------------------------------------------

choose_language() {
    case ${SETUP_LLM_DEV_LANG:-${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}} in
        zh*) chinese=1 ;;
        *) chinese='' ;;
    esac
}

say() { # ENGLISH CHINESE: talk goes to standard error, what the program prints is data
    if [ -n "$chinese" ]; then printf '%s\n' "$2" >&2; else printf '%s\n' "$1" >&2; fi
}

fail() { # CODE ENGLISH CHINESE
    say "error: $2" "错误：$3"
    exit "$1"
}

shown() { # an address as it may be shown: without user name and password
    printf '%s\n' "$1" | sed 's#://[^/@]*@#://#'
}

announce() {
    if [ -n "$from" ]; then what=$from; else what="setup-llm-dev $version"; fi
    if [ -n "$index" ]; then where=$(shown "$index"); else where=$(shown "$PUBLIC_INDEX"); fi
    say "installing $what for this user alone, with rights of nobody else
  from:     $where
  program:  $programs/setup-llm-dev
  its home: $tools/setup-llm-dev
  fetcher:  uv $UV_VERSION ($wheel, sha256 $digest), only where no uv is installed; removed again" \
        "只为当前用户安装 ${what}，不需要其他权限
  来源：    $where
  程序：    $programs/setup-llm-dev
  所在：    $tools/setup-llm-dev
  下载工具：uv ${UV_VERSION}（${wheel}，sha256 ${digest}），仅在没有安装 uv 时下载，用完即删"
    [ -n "$run" ] || return 0
    say "  then:     setup-llm-dev $*" "  然后运行：setup-llm-dev $*"
}

# --- this machine ---------------------------------------------------------------------------------------------------

have() { command -v "$1" >/dev/null 2>&1; }

check_system() { # the programs that this script can't do without, before the first of them is used
    lost=''
    for program in cat chmod head id ls mktemp rm sed tee tr uname; do
        have $program || lost="$lost $program"
    done
    [ -z "$lost" ] || fail 6 "not found in PATH (${PATH:-}):$lost" "PATH（${PATH:-}）里找不到：$lost"
}

find_source() { # sets from: what was named, else the checkout that this script lies in
    [ -z "$remove" ] || return 0
    if [ -n "$from" ]; then
        [ -e "$from" ] || fail 2 "there is no $from" "没有 $from"
        is_ours "$from" || fail 2 "$from is neither a checkout of setup-llm-dev nor a wheel of it (setup_llm_dev-*.whl)" \
            "$from 既不是 setup-llm-dev 的源码目录，也不是它的 wheel（setup_llm_dev-*.whl）"
        case $from in
            /*) ;;
            *) from=$(pwd)/$from ;;
        esac
        return 0
    fi
    case $0 in
        */bootstrap.sh) beside=$(cd -- "${0%/*}/.." 2>/dev/null && pwd) || beside='' ;;
        bootstrap.sh) beside=$(cd -- .. && pwd) ;;
        *) beside='' ;;
    esac
    if [ -n "$beside" ] && [ -f "$0" ] && is_ours "$beside"; then from=$beside; fi
}

is_ours() { # PATH
    if [ -d "$1" ]; then
        [ -f "$1/pyproject.toml" ] && [ -n "$(sed -n '/^name *= *"setup-llm-dev"/p' "$1/pyproject.toml")" ]
        return
    fi
    case ${1##*/} in
        setup_llm_dev-*.whl) [ -f "$1" ] ;;
        *) return 1 ;;
    esac
}

check_published() { # a name that nobody holds may be held by anybody tomorrow; bytes with a known hash may come
    if [ -n "$from$PUBLISHED${SETUP_LLM_DEV_SHA256:-}" ]; then return 0; fi
    fail 2 "no version of setup-llm-dev has been published yet; get its sources and name them: --from FOLDER" \
        "setup-llm-dev 还没有正式发布；请先取得源码，再用 --from 目录 指定"
}

check_home() {
    case ${HOME:-} in
        '' | / | [!/]*) fail 3 "HOME must name your home folder" "HOME 必须是您的主目录" ;;
    esac
    [ "$(id -u)" = 0 ] || return 0
    if [ -n "${SUDO_USER:-}" ] && [ "$(owner_of "$HOME")" != 0 ]; then
        fail 3 "this would put files of root's into the home of $SUDO_USER; run it without sudo" \
            "这会把 root 的文件写进 $SUDO_USER 的主目录；请不要用 sudo 运行"
    fi
    # Where the program is run, it says so itself.
    if [ -n "$dry" ] || { [ -z "$run" ] && [ -z "$remove" ]; }; then
        say "note: you are root; setup-llm-dev needs no rights of root" "注意：您是 root；setup-llm-dev 不需要 root 权限"
    fi
}

owner_of() { # the number of a folder's owner
    # shellcheck disable=SC2012 # a number is wanted, not a name; find is not everywhere
    LC_ALL=C ls -ldn -- "$1" | sed -n '1s/^[^ ]* *[^ ]* *\([0-9]*\).*/\1/p'
}

choose_wheel() { # sets wheel and digest
    system=$(uname -s) machine=$(uname -m)
    # A translated shell on Apple silicon says x86_64.
    if [ "$system" = Darwin ] && [ "$(sysctl -n hw.optional.arm64 2>/dev/null || :)" = 1 ]; then machine=arm64; fi
    case $system-$machine in
        Linux-x86_64 | Linux-amd64) entry=$UV_LINUX_X86_64 ;;
        Linux-aarch64 | Linux-arm64) entry=$UV_LINUX_AARCH64 ;;
        Darwin-x86_64) entry=$UV_MACOS_X86_64 ;;
        Darwin-arm64) entry=$UV_MACOS_AARCH64 ;;
        *) fail 3 "there is no build for $system on $machine" "没有适合 ${system}（${machine}）的构建" ;;
    esac
    wheel=uv-$UV_VERSION-py3-none-${entry% *}.whl digest=${entry#* }
}

places() { # where uv puts programs and their environments, by its rules
    share=${XDG_DATA_HOME:-$HOME/.local/share}
    tools=${UV_TOOL_DIR:-$share/uv/tools}
    programs=${UV_TOOL_BIN_DIR:-${XDG_BIN_HOME:-}}
    if [ -z "$programs" ]; then
        if [ -n "${XDG_DATA_HOME:-}" ]; then programs=$XDG_DATA_HOME/../bin; else programs=$HOME/.local/bin; fi
    fi
}

is_installed() {
    [ -z "$from" ] && [ -x "$programs/setup-llm-dev" ] || return 1
    [ "$("$programs/setup-llm-dev" --version 2>/dev/null || :)" = "setup-llm-dev $version" ]
}

make_folder() { # sets folder: private, and gone at the end, however that comes
    umask 022
    folder=$(mktemp -d "${TMPDIR:-/tmp}/setup-llm-dev-bootstrap.XXXXXX") ||
        fail 6 "no temporary folder can be made in ${TMPDIR:-/tmp}" "无法在 ${TMPDIR:-/tmp} 建立临时目录"
    trap clean EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

clean() {
    [ -z "$folder" ] || rm -rf -- "$folder"
    folder=''
}

check_programs() { # before anything is fetched
    have curl || have wget || lacks curl wget
    have sha256sum || have shasum || have openssl || lacks sha256sum openssl
    own_uv || have unzip || have python3 || have python || have bsdtar || have busybox || lacks unzip python3 busybox
}

lacks() { # PROGRAM…: end with 6, saying how to get the first one
    for known in apt-get dnf apk pacman zypper; do
        if have $known; then break; fi
        known=''
    done
    case $known in
        '') how="install $1" ;;
        apk) how="apk add $1" ;;
        pacman) how="pacman -S $1" ;;
        *) how="$known install $1" ;;
    esac
    fail 6 "one of these programs is needed: $*; as root: $how" "需要以下程序之一：${*}；以 root 执行：$how"
}

# --- where packages come from -----------------------------------------------------------------------------------------

choose_source() { # sets index (empty: the public one, or a mirror of it), and what pip knows of proxy and certificates
    index=$(index_of_user)
    cert=${SSL_CERT_FILE:-$(of_pip cert)}
    if [ -n "$cert" ]; then export SSL_CERT_FILE="$cert" CURL_CA_BUNDLE="${CURL_CA_BUNDLE:-$cert}"; fi
    if [ -z "${HTTPS_PROXY:-}${https_proxy:-}${ALL_PROXY:-}${all_proxy:-}" ]; then
        proxy=$(of_pip proxy)
        if [ -n "$proxy" ]; then export HTTPS_PROXY="$proxy" https_proxy="$proxy" http_proxy="$proxy"; fi
    fi
    export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-1}"
}

index_of_user() { # what somebody already wrote down, in the order in which setup-llm-dev takes it
    found=${SETUP_LLM_DEV_MIRRORS_PYPI:-$(of_config)}
    [ "$found" != none ] || found=''
    found=${found:-${UV_DEFAULT_INDEX:-${UV_INDEX_URL:-$(of_pip index-url)}}}
    # uv takes a name before the address: name=https://…
    printf '%s\n' "$found" | sed 's#^[A-Za-z0-9._-]*=##; s#/*$##'
}

of_config() { # mirrors.pypi of our own settings
    file=${XDG_CONFIG_HOME:-$HOME/.config}/setup-llm-dev/config.toml
    [ ! -r "$file" ] || sed -n '/^\[mirrors\]/,/^\[/s/^ *pypi *= *["'\'']\([^"'\'']*\).*/\1/p' "$file" | head -n 1
}

of_pip() { # KEY: from PIP_KEY, else from pip's files, the user's before the machine's
    case $1 in
        index-url) value=${PIP_INDEX_URL:-} key='index[-_]url' ;;
        cert) value=${PIP_CERT:-} key=cert ;;
        *) value=${PIP_PROXY:-} key=proxy ;;
    esac
    for file in "${PIP_CONFIG_FILE:-}" "${XDG_CONFIG_HOME:-$HOME/.config}/pip/pip.conf" \
        "$HOME/Library/Application Support/pip/pip.conf" "$HOME/.pip/pip.conf" /etc/pip.conf /etc/xdg/pip/pip.conf; do
        [ "${PIP_CONFIG_FILE:-}" != /dev/null ] || break
        [ -z "$value" ] || break
        if [ ! -f "$file" ] || [ ! -r "$file" ]; then continue; fi
        for section in install global; do
            [ -n "$value" ] || value=$(of_section "$section" "$key" "$file")
        done
    done
    printf '%s\n' "$value"
}

of_section() { # SECTION KEY FILE
    sed -n "/^\\[${1}\\]/,/^\\[/s/^[[:space:]]*${2}[[:space:]]*[=:][[:space:]]*//p" "$3" |
        sed 's/[[:space:]]*$//' | head -n 1
}

candidates() { # the indexes to ask, in order
    if [ -n "$index" ]; then
        printf '%s\n' "$index"
        return
    fi
    case ${SETUP_LLM_DEV_MIRRORS_PRESET:-auto} in
        none) printf '%s\n' "$PUBLIC_INDEX" ;;
        cn) printf '%s\n' "$INDEX_MIRRORS $PUBLIC_INDEX" ;;
        *) printf '%s\n' "$PUBLIC_INDEX $INDEX_MIRRORS" ;;
    esac
}

# --- bytes ------------------------------------------------------------------------------------------------------------

fetch() { # ADDRESS FILE SECONDS; the address may hold a password, so it goes in by standard input, not by argv
    if have curl; then
        case $1 in
            https:*) set -- "$1" "$2" "$3" --proto =https ;;
        esac
        address=$1 file=$2 seconds=$3
        shift 3
        printf 'url = "%s"\n' "$(printf '%s' "$address" | sed 's/[\\"]/\\&/g')" |
            curl -q --silent --show-error --fail --location --max-redirs 10 --connect-timeout "$PATIENCE" \
                --speed-limit 1 --speed-time "$seconds" --output "$file" "$@" --config - 2>"$folder/why"
    elif wget --version >"$folder/why" 2>/dev/null; then
        printf '%s\n' "$1" | wget --no-verbose --tries=1 --timeout="$3" --output-document="$2" --input-file=- \
            2>"$folder/why"
    else # busybox: it takes the address as an argument only
        case $1 in
            *://*@*) lacks curl ;;
        esac
        # Built without its time limit, it crashes when it is given one.
        if [ -n "$(wget --help 2>&1 | sed -n '/-T /p')" ]; then
            wget -q -T "$3" -O "$2" "$1" 2>"$folder/why"
        else
            wget -q -O "$2" "$1" 2>"$folder/why"
        fi
    fi
}

why() { # what the fetcher said, without passwords
    sed -n 's#://[^/@ ]*@#://#g; 1p' "$folder/why" 2>/dev/null || :
}

sha256_of() {
    if have sha256sum; then
        sha256sum "$1"
    elif have shasum; then
        shasum -a 256 "$1"
    else
        openssl dgst -sha256 -r "$1"
    fi | sed 's/^\\*\([0-9a-f]*\).*/\1/'
}

link_in() { # PAGE NAME: the address of that file, as the page writes it
    tr '<\n' '\n ' <"$1" | sed -n "s/^[aA][^>]*[hH][rR][eE][fF] *= *[\"']\\([^\"'#]*$2\\)[\"'#?].*/\\1/p" |
        sed 's/&amp;/\&/g' | head -n 1
}

resolved() { # FOLDER LINK, both of addresses; a link on the index's own host keeps its user name and password
    host=${1#*://} scheme=${1%%://*}
    host=${host%%/*}
    case $2 in
        *://"${host##*@}"/*) printf '%s\n' "$scheme://$host/${2#*://*/}" ;;
        *://*) printf '%s\n' "$2" ;;
        //*) printf '%s\n' "$scheme:$2" ;;
        /*) printf '%s\n' "$scheme://$host$2" ;;
        *)
            base=${1%/} link=$2
            while [ "${link#../}" != "$link" ]; do
                link=${link#../} base=${base%/*}
            done
            printf '%s\n' "$base/$link"
            ;;
    esac
}

get() { # PROJECT NAME SHA256: into $folder/NAME, from the first index that has it; sets index to that one
    wrong='' missing=''
    for candidate in $(candidates); do
        page=$candidate/$1/
        if ! fetch "$page" "$folder/page" "$PATIENCE"; then
            say "$(shown "$candidate") does not answer: $(why)" "$(shown "$candidate") 没有应答：$(why)"
            continue
        fi
        link=$(link_in "$folder/page" "$2")
        if [ -z "$link" ]; then
            say "$(shown "$candidate") has no $2" "$(shown "$candidate") 没有 $2"
            missing=1
            continue
        fi
        address=$(resolved "$page" "$link")
        say "fetching $(shown "$address")" "正在下载 $(shown "$address")"
        if ! fetch "$address" "$folder/$2" "$STALL"; then
            say "it stopped: $(why)" "下载中断：$(why)"
            continue
        fi
        found=$(sha256_of "$folder/$2")
        if [ "$found" = "$3" ]; then
            index=$candidate
            return 0
        fi
        rm -f -- "$folder/$2"
        say "these are not the bytes that were wanted: sha256 $found instead of $3; they were thrown away" \
            "字节不符：sha256 是 ${found}，应为 ${3}；已丢弃"
        wrong=1
    done
    [ -z "$wrong" ] || fail 5 "nobody who answered has the right $2" "没有任何来源提供正确的 $2"
    [ -z "$missing" ] || fail 4 "$2 was found nowhere" "到处都找不到 $2"
    fail 4 "no package index can be reached; set HTTPS_PROXY, or name yours in UV_DEFAULT_INDEX" \
        "连不上任何软件包索引；请设置 HTTPS_PROXY，或用 UV_DEFAULT_INDEX 指定镜像"
}

unpack() { # WHEEL FOLDER: uv out of its wheel, with whatever can read a zip here
    member=uv-$UV_VERSION.data/scripts/uv
    for tool in unzip python3 python bsdtar busybox; do
        have $tool || continue
        case $tool in
            unzip) unzip -q -o "$1" "$member" -d "$2" ;;
            bsdtar) bsdtar -x -f "$1" -C "$2" "$member" ;;
            busybox) busybox unzip -q -o "$1" "$member" -d "$2" ;;
            *) "$tool" -I -m zipfile -e "$1" "$2" ;;
        esac >/dev/null 2>"$folder/why" || continue
        if [ -s "$2/$member" ]; then
            uv=$2/$member
            chmod 755 "$uv"
            return 0
        fi
    done
    fail 6 "$1 could not be unpacked: $(why)" "无法解压 ${1}：$(why)"
}

# --- uv and the program -----------------------------------------------------------------------------------------------

install() {
    if own_uv; then
        say "using your uv: $uv" "使用您已有的 uv：$uv"
        [ -n "$index" ] || has_uv_settings || index=$(first_that_answers)
    else
        get uv "$wheel" "$digest"
        unpack "$folder/$wheel" "$folder"
        "$uv" --version >/dev/null 2>&1 || fail 6 "programs can't be run from $folder; name another place in TMPDIR" \
            "无法在 $folder 运行程序；请用 TMPDIR 指定别处"
    fi
    if [ -n "${SETUP_LLM_DEV_SHA256:-}" ] && [ -z "$from" ]; then
        name=setup_llm_dev-$version-py3-none-any.whl
        get setup-llm-dev "$name" "$SETUP_LLM_DEV_SHA256"
        from=$folder/$name
    fi
    if [ -n "$index" ] && [ "$index" != "$PUBLIC_INDEX" ]; then export UV_DEFAULT_INDEX="$index"; fi
    install_by_uv
    [ -x "$programs/setup-llm-dev" ] ||
        fail 6 "uv did not make $programs/setup-llm-dev" "uv 没有生成 $programs/setup-llm-dev"
}

own_uv() { # one on PATH that is new enough; sets uv
    uv=$(command -v uv 2>/dev/null) || return 1
    numbers=$("$uv" --version 2>/dev/null | sed -n 's/^uv \([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
    case $numbers in
        '' | '0 '[0-8]) return 1 ;;
    esac
}

has_uv_settings() {
    [ -n "${UV_CONFIG_FILE:-}" ] || [ -f "${XDG_CONFIG_HOME:-$HOME/.config}/uv/uv.toml" ] || [ -f /etc/uv/uv.toml ]
}

first_that_answers() {
    for candidate in $(candidates); do
        if fetch "$candidate/uv/" "$folder/page" "$PATIENCE"; then
            printf '%s\n' "$candidate"
            return
        fi
        say "$(shown "$candidate") does not answer: $(why)" "$(shown "$candidate") 没有应答：$(why)"
    done
}

install_by_uv() {
    mirrors=''
    for mirror in $INDEX_MIRRORS; do
        [ "$index" != "$mirror" ] || [ -n "${UV_PYTHON_INSTALL_MIRROR:-}" ] || mirrors=$PYTHON_MIRRORS
    done
    for mirror in $mirrors ''; do
        [ -z "$mirror" ] || say "Pythons, if one is needed, come from $mirror" "如需下载 Python，来自 $mirror"
        if uv_tool_install "$mirror"; then return 0; fi
        # Another mirror of Pythons helps only where it was the Python that could not be had.
        said 'python-build-standalone' || break
    done
    code=6
    ! said_unreachable || code=4
    ! said 'hash mismatch' || code=5
    ! said 'executables\{0,1\} already exist' || code=3
    fail $code "uv could not install setup-llm-dev, see above" "uv 未能安装 setup-llm-dev，原因见上"
}

uv_tool_install() { # MIRROR of Pythons, or nothing
    [ -z "$1" ] || export UV_PYTHON_INSTALL_MIRROR="$1"
    if [ -n "$from" ]; then
        set -- --reinstall-package setup-llm-dev "$from"
    else
        set -- "setup-llm-dev==$version"
    fi
    {
        code=0
        "$uv" tool install --no-progress --python '>=3.11' "$@" </dev/null || code=$?
        printf '%s\n' "$code" >"$folder/code"
    } 2>&1 | tee "$folder/said" | sed 's#://[^/@ ]*@#://#g' >&2
    [ "$(cat "$folder/code")" = 0 ]
}

said() { [ -n "$(tr '[:upper:]' '[:lower:]' <"$folder/said" | sed -n "/$1/p")" ]; }

said_unreachable() {
    said 'failed to fetch' || said 'failed to download' || said 'error sending request' || said 'dns error'
}

add_to_path() {
    if [ -z "$uv" ]; then uv=$tools/setup-llm-dev/bin/uv; fi
    UV_TOOL_BIN_DIR=$programs "$uv" tool update-shell >&2
}

start() { # run the program in our place; a script that came through a pipe gives it the terminal to ask at
    case :$PATH: in
        *:"$programs":*) ;;
        *)
            say "note: $programs is not in PATH; \`--path\` puts it there" \
                "注意：$programs 不在 PATH 里；加 \`--path\` 可写入"
            ;;
    esac
    if [ ! -t 0 ] && [ -t 2 ] && (: </dev/tty) 2>/dev/null; then
        exec "$programs/setup-llm-dev" "$@" </dev/tty
    fi
    exec "$programs/setup-llm-dev" "$@"
}

uninstall() { # what it made first: that takes the program
    program=$programs/setup-llm-dev
    if [ ! -x "$program" ]; then
        say "setup-llm-dev is not installed" "没有安装 setup-llm-dev"
        return 0
    fi
    if [ -n "$dry" ]; then
        say "would run: setup-llm-dev uninstall $*; then remove $tools/setup-llm-dev and $program" \
            "将运行：setup-llm-dev uninstall ${*}；然后删除 $tools/setup-llm-dev 和 $program"
        return 0
    fi
    if [ ! -t 0 ] && [ -t 2 ] && (: </dev/tty) 2>/dev/null; then exec </dev/tty; fi
    # It need not tell how to remove the program: that is done here.
    SETUP_LLM_DEV_BOOTSTRAP=1 "$program" uninstall "$@"
    # It ends with 0 too where somebody said no; then there is something left, and it wants a yes from nobody.
    if ! "$program" uninstall "$@" --json </dev/null >/dev/null 2>&1; then
        say "the program stays" "程序保留"
        return 0
    fi
    uv=$tools/setup-llm-dev/bin/uv
    [ -x "$uv" ] || own_uv ||
        fail 6 "there is no uv to remove the program with; delete $tools/setup-llm-dev and $program" \
            "没有可用来删除程序的 uv；请删除 $tools/setup-llm-dev 和 $program"
    "$uv" tool uninstall setup-llm-dev >&2
}

{ main "$@"; exit; }
