"""What a node runs at its first boot: a server that stands in for the training's own."""

PORT = 8000

BOOT_SCRIPT = f"""#!/bin/bash
metadata=${{STEELYARD_METADATA_URL:-http://100.100.100.200}}/latest
token=$(curl -s -X PUT -H "X-aliyun-ecs-metadata-token-ttl-seconds: 60" "$metadata/api/token")
item() {{ curl -s -H "X-aliyun-ecs-metadata-token: $token" "$metadata/meta-data/$1"; }}
mkdir -p www
item hostname > www/index.html
nohup python3 -m http.server --directory www --bind "$(item private-ipv4)" {PORT} > server.log 2>&1 &
"""
