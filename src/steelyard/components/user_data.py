"""The script that an instance boots with, on the cloud and on the local cloud alike."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

import pulumi

Role = Literal["head", "worker"]

_SCRIPT = """\
#!/bin/bash
# Makes this instance a node of a Steelyard cluster. It may run any number of times.
set -euo pipefail
umask 077
export HOME="${{HOME:-/root}}"
state="$HOME/.steelyard/"{cluster}
token_file="$state/token"
mkdir -p "$state"
touch "$token_file"
chmod 600 "$token_file"
printf '%s' {token} > "$token_file"
needs_restart=""
{setup}
export PATH="$PATH:$state/venv/bin"
if ! command -v steelyard-node > /dev/null; then
  python=""
  for name in python3 python3.13 python3.12 python3.11; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
      python="$name"
      break
    fi
  done
  if [[ -z "$python" ]] && command -v dnf > /dev/null; then
    dnf install -y python3.11
    python=python3.11
  fi
  if ! "${{python:-python3}}" -m venv --clear "$state/venv"; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    apt-get install --yes python3-venv
    python3 -m venv --clear "$state/venv"
  fi
  "$state/venv/bin/python" -m pip install --no-input {install}
fi

node=("$(command -v steelyard-node)" {options} --token-file "$token_file")

# User data runs at the first boot alone: on the cloud, a unit brings the node back after a restart.
if [[ -z "${{STEELYARD_METADATA_URL:-}}" && -d /run/systemd/system && "$EUID" -eq 0 ]]; then
  cat > /etc/systemd/system/steelyard-node.service << UNIT
[Unit]
Description=Node of a Steelyard cluster
Wants=network-online.target
After=network-online.target

[Service]
Environment="HOME=$HOME" "PATH=$PATH"
ExecStart=${{node[*]}}
Restart=always
RestartSec=5
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
UNIT
  systemctl daemon-reload
  systemctl enable steelyard-node.service
  if [[ -n "$needs_restart" ]]; then
    systemctl reboot
    exit 0
  fi
  systemctl restart steelyard-node.service
  exit 0
fi
exec "${{node[@]}}"
"""


@dataclass(frozen=True, kw_only=True)
class PackageSource:
    """Where an instance that has no Steelyard takes it from.

    Attributes:
        version: Version to install; this one where it is None.
        index_url: Package index; pip's own where it is None.
    """

    version: str | None = None
    index_url: str | None = None


def boot_script(
    *,
    cluster: str,
    role: Role,
    token: str,
    gateway_port: int,
    head_address: str | None,
    source: PackageSource,
    setup: str = "",
    takes_work: bool = True,
    is_elastic: bool = False,
    server_group: str | None = None,
    report: Sequence[str] = (),
) -> str:
    """Return the text of the script.

    Args:
        cluster: The cluster's name.
        role: `head` for the node that Ray's head runs on, `worker` for the others.
        token: The gateways' bearer token.
        gateway_port: Port of the gateway.
        head_address: Private address of the head; None on the head itself.
        source: Where Steelyard is taken from if the instance has none.
        setup: Lines to run before the node starts.
        takes_work: Whether jobs may have workers there; only a head can do without.
        is_elastic: Whether a scaling group may take the node away.
        server_group: `KIND:ID` of the server group whose weights a head sets; None where it sets none.
        report: Options that say where and how often the node reports its figures; none where it reports none.
    """
    options = ["--cluster", cluster, "--role", role, "--gateway-port", str(gateway_port)]
    if head_address is not None:
        options += ["--head-address", head_address]
    if not takes_work:
        options.append("--no-work")
    if is_elastic:
        options.append("--elastic")
    if server_group is not None:
        options += ["--server-group", server_group]
    options += report
    install = [f"steelyard=={source.version or version('steelyard')}"]
    if source.index_url is not None:
        install = ["--index-url", source.index_url, *install]
    return _SCRIPT.format(
        cluster=shlex.quote(cluster),
        token=shlex.quote(token),
        options=shlex.join(options),
        install=shlex.join(install),
        setup=setup,
    )


def user_data(
    *,
    cluster: str,
    role: Role,
    token: pulumi.Input[str],
    gateway_port: int,
    head_address: pulumi.Input[str] | None,
    source: PackageSource,
    setup: pulumi.Input[str] = "",
    takes_work: bool = True,
    is_elastic: bool = False,
    server_group: pulumi.Input[str] | None = None,
    report: pulumi.Input[list[str]] | None = None,
) -> pulumi.Output[str]:
    """Return the script as a secret output, once the token and the head's address are known.

    The arguments are those of `boot_script`.
    """
    inputs = pulumi.Output.all(
        token=pulumi.Output.secret(token),
        head_address=head_address,
        setup=setup,
        server_group=server_group,
        report=report,
    )
    return inputs.apply(
        lambda known: boot_script(
            cluster=cluster,
            role=role,
            token=known["token"],
            gateway_port=gateway_port,
            head_address=known["head_address"],
            source=source,
            setup=known["setup"],
            takes_work=takes_work,
            is_elastic=is_elastic,
            server_group=known["server_group"],
            report=known["report"] or (),
        )
    )
