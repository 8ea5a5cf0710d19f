"""Interpreters, build tools and package managers: they run what stands in files, or fetch it."""

from wand_hostagent.policy.effects import NOTHING, READ, Effects, Program, Use, effects, options, verbs

RUNS = Program(
    names="""python python2 python3 node deno bun ruby perl php lua Rscript java javac kotlin scala go
        rustc rustup gcc g++ cc c++ clang clang++ ld as make gmake cmake ninja meson bazel gradle mvn ant
        sbt dotnet tsc ts-node tsx vite webpack esbuild rollup jest vitest mocha pytest py.test tox nox ruff
        black isort mypy pyright flake8 pylint eslint prettier stylelint rspec rake bundle phpunit composer
        ctest swift zig nim elixir mix erl ghc stack cabal ocaml dune opam vim vi nvim emacs nano ed ex gdb
        lldb strace ltrace sh bash dash zsh ksh fish script expect sqlite3
        parallel pre-commit just task hatch poetry pdm uv uvx pipx conda mamba rye""",
    effects=effects("run"),
)
SOURCE = Program(names="source .", effects=effects("run"))
NPX = Program(
    names="npx bunx pnpx", effects=effects("run"), options={"": options(text="-c= --call=", plain="-p=")}
)
CARGO = Program(
    names="cargo",
    effects=effects("run"),
    verbs=verbs(
        run="build test run check install", send="publish yank owner login logout", fetch="search fetch"
    ),
    options={"": options(run="--config=", plain="--manifest-path= --target= -p= --package= -j= --features=")},
)


def _python(use: Use) -> Effects:
    """Only its version is looking; a module that sends is that program."""
    module = next((value for name, value in use.options if name == "-m"), "")
    sends = module in ("twine", "flit", "smtplib", "ftplib", "telnetlib")
    return READ if use.words in (("--version",), ("-V",)) else effects("run send" if sends else "run")


def _openssl(use: Use) -> Effects:
    """Some of its verbs connect."""
    connects = use.operands[:1] in (("s_client",), ("s_time",)) or "-connect" in use.words
    return effects("send") if connects else NOTHING


OPENSSL = Program(names="openssl", effects=effects("run"), refine=_openssl, words_are_long=True)

NPM = Program(
    names="npm pnpm yarn",
    effects=effects("run"),
    verbs=verbs(
        read="""ls list ll la outdated why explain root prefix bin config/get config/list help
            version-list query fund docs pkg/get""",
        fetch="view info show search ping audit",
        run="""run run-script test t start stop restart exec x install i ci add update up rebuild create
            init link dedupe prune install-test uninstall remove rm pkg/set version pack config/set
            config/delete""",
        send="""publish unpublish deprecate dist-tag owner access token adduser login logout profile team
            hook org star""",
    ),
    options={
        "": options(
            plain="--depth= -w= --workspace= --prefix= -C= --loglevel= --json",
            run="--node-options= --script-shell= --userconfig= --globalconfig= --registry= -g --global",
        )
    },
    neutral={"NO_UPDATE_NOTIFIER": "1"},
)

PIP = Program(
    names="pip pip3",
    effects=effects("run"),
    verbs=verbs(
        read="list show freeze check config/list config/get help debug cache/info cache/list hash inspect",
        fetch="download index index/versions search",
        run="install wheel uninstall config/set",
    ),
    options={
        "": options(
            plain="-r= --requirement= -c= --constraint= -t= --target= --python=",
            run="-i= --index-url= --extra-index-url= --trusted-host= -f= --find-links=",
        )
    },
    neutral={"PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
)

PUBLISH = Program(
    names="twine gem flit semantic-release goreleaser vsce ovsx cargo-release", effects=effects("send run")
)

APT = Program(
    names="""apt apt-get apt-cache aptitude dpkg dpkg-query dnf yum rpm pacman apk zypper snap flatpak
        brew""",
    effects=effects("administer"),
    verbs=verbs(
        read="""list show search policy depends rdepends showpkg stats madison pkgnames info
        repoquery provides why help"""
    ),
    options={
        "": options(
            run="-o= --option= -c= --config-file=",
            administer="""-i --install -r --remove -P --purge --configure --unpack -U -e --erase -S -R
                --path-exclude= --root= --admindir= --set-selections --triggers-only""",
            plain="-t= --target-release= -a= -q -y",
        )
    },
    neutral={"PAGER": "cat", "DEBIAN_FRONTEND": "noninteractive"},
)


def _dpkg(use: Use) -> Effects:
    looks = {
        "-l",
        "-L",
        "-s",
        "-S",
        "-W",
        "-p",
        "-c",
        "-I",
        "--list",
        "--listfiles",
        "--status",
        "--search",
        "--show",
        "--print-avail",
        "--version",
        "--get-selections",
        "--audit",
        "-C",
        "--print-architecture",
        "-f",
    }
    given = {name for name, _ in use.options}
    return READ if given & looks and given <= looks else effects("administer")


DPKG = Program(
    names="dpkg dpkg-query",
    effects=NOTHING,
    refine=_dpkg,
    options={"": options(plain="-f= --showformat= --show")},
    neutral={"PAGER": "cat"},
)
PYTHON = Program(
    names="python python2 python3",
    effects=NOTHING,
    options={"": options(plain="-m= -c= -W= -X= -Q=")},
    abbreviates=False,
    refine=_python,
)

POWER = Program(
    names="""sudo su doas pkexec mount umount swapon swapoff mkfs fdisk parted losetup modprobe insmod rmmod
        sysctl useradd userdel usermod groupadd groupdel passwd chpasswd visudo crontab at batch iptables
        ip6tables nft ip ifconfig route ufw firewall-cmd setcap setenforce reboot shutdown halt poweroff
        init telinit systemd-run chroot unshare nsenter capsh setpriv runuser newuidmap newgidmap machinectl
        virsh qemu-system-x86_64 kexec debugfs cryptsetup lvm vgchange update-alternatives update-rc.d chsh
        chfn""",
    effects=effects("administer escape"),
)

KILL = Program(names="kill pkill killall renice", effects=effects("write"))

PROGRAMS = (RUNS, SOURCE, NPX, CARGO, OPENSSL, NPM, PIP, PUBLISH, APT, DPKG, PYTHON, POWER, KILL)
