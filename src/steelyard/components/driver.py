"""What a node does at its boot to have the drivers of its devices.

Nothing of this was tried on real devices: the local cloud has none, and there the lines do nothing.
"""

from __future__ import annotations

# Ubuntu's own packages (`ubuntu-drivers install --gpgpu`, Ubuntu Server documentation "NVIDIA drivers installation"),
# to which the matching `nvidia-utils` has to be added for nvidia-smi. The modules are for the newest kernel package, so
# that a restart may be needed. That Alibaba Cloud Linux has packages of these names is from memory.
GPU_DRIVER = """
# The GPUs' driver, from the distribution's packages: left alone where it works, or where there is no GPU.
if [[ -z "${STEELYARD_METADATA_URL:-}" ]] && grep -qs 0x10de /sys/bus/pci/devices/*/vendor \\
  && ! nvidia-smi > /dev/null 2>&1; then
  if command -v apt-get > /dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    apt-get install --yes ubuntu-drivers-common
    ubuntu-drivers install --gpgpu
    branch="$(dpkg-query -W -f '${Package}\\n' 'nvidia-headless-*' | grep -oE '[0-9]+-server' | sort -V | tail -1)"
    apt-get install --yes "nvidia-utils-$branch"
  else
    dnf install -y nvidia-driver nvidia-driver-cuda
  fi
  modprobe nvidia || true
  if ! nvidia-smi > /dev/null 2>&1; then
    if [[ -e "$state/restarted-for-gpu" ]]; then
      echo "the GPUs' driver is installed and does not work; see nvidia-smi and dmesg" >&2
    else
      touch "$state/restarted-for-gpu"
      needs_restart=yes
    fi
  fi
fi
"""

# The script is the one that Alibaba Cloud's own controller for elastic RDMA runs (AliyunContainerService/
# alibabacloud-erdma-controller); its host is reached from inside the cloud alone.
RDMA_DRIVER = """
# The driver of the elastic RDMA interface, by the cloud's own installer: left alone where it is loaded.
if [[ -z "${STEELYARD_METADATA_URL:-}" ]] && ! modprobe erdma 2> /dev/null; then
  installer="$(mktemp)"
  python3 - "$installer" << 'PYTHON'
import sys, urllib.request
urllib.request.urlretrieve("http://mirrors.cloud.aliyuncs.com/erdma/env_setup.sh", sys.argv[1])
PYTHON
  bash "$installer" --egs
  rm -f "$installer"
  modprobe erdma || needs_restart=yes
fi
"""
