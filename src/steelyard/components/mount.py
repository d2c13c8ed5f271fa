"""What a node does at its boot to see a file system."""

from __future__ import annotations

import shlex

from steelyard import settings

# The options are those that NAS's help page on mounting NFS recommends.
_OPTIONS = "vers=3,nolock,proto=tcp,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport,_netdev"

_SCRIPT = """
# Checkpoints are kept on a file system that all nodes see; it comes back after a restart.
folder={folder}
if [[ -n "${{{local_mark}:-}}" ]]; then
  # Nodes of the local cloud share the machine's files: there is nothing to fetch and nothing to mount.
  python3 -m steelyard.node.mount {domain} "$folder"
elif ! mountpoint -q "$folder"; then
  if ! command -v mount.nfs > /dev/null; then
    if command -v apt-get > /dev/null; then
      export DEBIAN_FRONTEND=noninteractive
      apt-get update
      apt-get install --yes nfs-common
    else
      yum install -y nfs-utils
    fi
  fi
  mkdir -p "$folder"
  grep -q -F " $folder " /etc/fstab || echo {domain}:/ "$folder" nfs {options} 0 0 >> /etc/fstab
  mount "$folder"
fi
"""


def mount_script(domain: str, folder: str) -> str:
    """Return the lines of a boot script that mount a file system; they may run any number of times.

    Args:
        domain: Host name of its mount target.
        folder: Where it is mounted: an absolute path, or `~/` and one in the node's home. On the local cloud only the
            latter can be.
    """
    home, rest = ('"$HOME"/', folder[2:]) if folder.startswith("~/") else ("", folder)
    return _SCRIPT.format(
        folder=home + shlex.quote(rest),
        domain=shlex.quote(domain),
        options=_OPTIONS,
        local_mark=settings.OSS_ENDPOINT,
    )
