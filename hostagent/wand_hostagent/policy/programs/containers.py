"""docker, kubectl, helm, terraform: they look, they build, and they change other machines."""

from wand_hostagent.policy.effects import NOTHING, Effects, Program, Use, effects, options, verbs
from wand_hostagent.policy.reading import HOLE

_DOCKER_ESCAPES = """--privileged --pid= --ipc= --uts= --userns= --cgroupns= --cap-add= --security-opt=
    --device= --volumes-from= -H= --host= --context= --use-api-socket"""


def _docker(use: Use) -> Effects:
    """A container that is given the machine's root, sockets or powers is no container."""
    found: Effects = NOTHING
    for name, value in use.options:
        if name in ("-v", "--volume") and _is_risky(value.partition(":")[0]):
            found |= effects("escape")
        if name == "--mount" and any(
            _is_risky(part.partition("=")[2])
            for part in value.split(",")
            if part.startswith(("source=", "src="))
        ):
            found |= effects("escape")
        if name in ("--network", "--net") and value.startswith(("host", "container:")):
            found |= effects("escape")
    return found


def _is_risky(path: str) -> bool:
    return (
        path.startswith(HOLE)
        or "docker.sock" in path
        or (
            path.rstrip("/")
            in {
                "",
                "/etc",
                "/root",
                "/home",
                "/var",
                "/var/run",
                "/run",
                "/proc",
                "/sys",
                "/dev",
                "/usr",
                "/boot",
                "/var/lib",
            }
            and path.startswith("/")
        )
    )


DOCKER = Program(
    names="docker podman nerdctl docker-compose",
    effects=effects("administer"),
    verbs=verbs(
        read="""ps images version info inspect logs top stats port diff history events container/ls
            container/list
        container/inspect container/logs image/ls image/inspect image/history network/ls network/inspect
        volume/ls
        volume/inspect system/df system/info compose/ps compose/logs compose/config compose/ls
        compose/images context/ls
        compose/version compose/top buildx/ls""",
        fetch="pull search image/pull compose/pull",
        run="""build run exec compose/up compose/run compose/exec compose/build container/run
            container/exec image/build buildx/build start create up""",
        write="""stop kill rm rmi compose/down compose/stop compose/rm compose/restart container/rm
            container/stop image/rm restart pause unpause cp save export tag down""",
        send="push login image/push compose/push",
    ),
    options={
        "": options(
            escape=_DOCKER_ESCAPES,
            plain="""--format= -f= --filter= -n= --last= --name= -e= --env= -v= --volume= --mount= -p=
                --publish= -w= --workdir= -u= --user=
            --network= --net= -t= --tag= --file= --target= --build-arg= --platform= --entrypoint= --tail=
            --since= --until= -m= --memory= --cpus=
            -c= --restart= --label= -l= --log-level= --project-name=""",
        )
    },
    refine=_docker,
    abbreviates=False,
)


def _kubectl(use: Use) -> Effects:
    """Secrets and raw addresses of the server are not mere looking."""
    asked = " ".join(use.operands).lower()
    if use.verb in ("get", "describe") and (
        "secret" in asked or any(name == "--raw" for name, _ in use.options)
    ):
        return effects("administer")
    return NOTHING


KUBECTL = Program(
    names="kubectl oc k3s",
    effects=effects("administer"),
    verbs=verbs(
        read="""get describe logs top version cluster-info explain api-resources api-versions events diff wait
        config/view config/get-contexts config/current-context auth/can-i rollout/status rollout/history
        completion help kustomize"""
    ),
    options={
        "": options(
            escape="""--kubeconfig= --server= -s= --as= --as-group= --token= --certificate-authority=
                --client-key= --insecure-skip-tls-verify --proxy-url=""",
            plain="""-n= --namespace= -o= --output= -l= --selector= -c= --container= --context= -f=
                --filename= --tail= --since= --field-selector= --sort-by= -v= --raw=""",
            write="--cache-dir=",
        )
    },
    refine=_kubectl,
    abbreviates=False,
)

HELM = Program(
    names="helm helmfile kustomize argocd flux",
    effects=effects("administer"),
    verbs=verbs(
        read="list ls status get history version env show lint template search search/repo build",
        fetch="pull repo/update repo/list dependency/update",
        write="create package",
    ),
    options={
        "": options(
            escape="--kubeconfig= --kube-apiserver= --kube-token=",
            text="--post-renderer=",
            plain="-n= -f= --set= --values= --version=",
        )
    },
)

TERRAFORM = Program(
    names="terraform tofu terragrunt pulumi ansible-playbook ansible packer",
    effects=effects("administer"),
    verbs=verbs(
        read="""version output show validate providers graph state/list state/show workspace/list
            workspace/show""",
        write="fmt",
        run="init plan get test",
    ),
    options={"": options(plain="-chdir= -var= -var-file= -out= -target= -no-color -json")},
    words_are_long=True,
    abbreviates=False,
)

PROGRAMS = (DOCKER, KUBECTL, HELM, TERRAFORM)
