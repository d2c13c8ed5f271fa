"""What a node does at its boot to see a file system."""

from __future__ import annotations

import shlex

# The options are those that NAS's help page on mounting NFS recommends.
_OPTIONS = "vers=3,nolock,proto=tcp,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport,_netdev"

_SCRIPT = """
# Checkpoints are kept on a file system that all nodes see; it comes back after a restart.
if ! mountpoint -q {folder}; then
  if ! command -v mount.nfs > /dev/null; then
    if command -v apt-get > /dev/null; then
      export DEBIAN_FRONTEND=noninteractive
      apt-get update
      apt-get install --yes nfs-common
    else
      yum install -y nfs-utils
    fi
  fi
  mkdir -p {folder}
  grep -q {mark} /etc/fstab || echo {line} >> /etc/fstab
  mount {folder}
fi
"""


def mount_script(domain: str, folder: str) -> str:
    """Return the lines of a boot script that mount a file system; they may run any number of times.

    Args:
        domain: Host name of its mount target.
        folder: Where it is mounted.
    """
    line = f"{domain}:/ {folder} nfs {_OPTIONS} 0 0"
    return _SCRIPT.format(folder=shlex.quote(folder), mark=shlex.quote(f" {folder} "), line=shlex.quote(line))
