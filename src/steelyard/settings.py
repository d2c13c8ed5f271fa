"""The environment variables that Steelyard reads, by name.

Entry points call `os.environ.get(settings.X)` and pass the value on; nothing is read at import.
"""

HOME = "STEELYARD_HOME"
"""Folder of the stacks' states and the local cloud's data; `~/.steelyard` where it is not set."""

METADATA_URL = "STEELYARD_METADATA_URL"
"""Base of the instance metadata service; Alibaba Cloud's own, `http://100.100.100.200`, where it is not set."""

OSS_ENDPOINT = "STEELYARD_OSS_ENDPOINT"
"""`http://HOST:PORT` of the object storage, called with the bucket in the path; on a node of the local cloud it is set,
and where it is not, the region's own endpoint is meant."""

CLOUD_ENDPOINT = "STEELYARD_CLOUD_ENDPOINT"
"""`HOST:PORT` that answers for every product of the cloud over HTTP; on a node of the local cloud it is set, and where
it is not, each product's own endpoint of the region is meant."""

EVENTS_PATH = "STEELYARD_EVENTS_PATH"
"""File to which a training process appends its events, one JSON object a line."""

JOB_ID = "STEELYARD_JOB_ID"
"""Id of the job that a training process belongs to."""

NODE_ID = "STEELYARD_NODE_ID"
"""Instance id of the node that a training process runs on."""

BALANCE = "STEELYARD_BALANCE"
"""How the global batch is shared out: `speed` (the default) or `equal`."""

IMITATED_SPEED = "STEELYARD_IMITATED_SPEED"
"""Relative speed that a training process imitates by waiting, above 0; not set on real accelerators."""

CHECKPOINT = "STEELYARD_CHECKPOINT"
"""Folder or `oss://BUCKET/PREFIX` of a training's checkpoints, where the script names none."""

CHECKPOINT_EVERY = "STEELYARD_CHECKPOINT_EVERY"
"""Steps from one checkpoint to the next, where the script does not say."""

CHECKPOINT_KEEP = "STEELYARD_CHECKPOINT_KEEP"
"""How many good checkpoints are kept, where the script does not say; 3 where it is not set."""

WORK_DIR = "STEELYARD_WORK_DIR"
"""Folder in which a node's agent unpacks the jobs that run there; set by the node itself."""

BIND_ADDRESS = "STEELYARD_BIND_ADDRESS"
"""IPv4 address that replaces the wildcard in every bind of a process under the bind shim."""

IMITATED_SAMPLE_MS = "STEELYARD_IMITATED_SAMPLE_MS"
"""Milliseconds that a node of relative speed 1 takes for a sample while its accelerator is imitated."""

RANK = "RANK"
"""torchrun's number of this worker, from 0."""

WORLD_SIZE = "WORLD_SIZE"
"""torchrun's number of workers."""

LOCAL_RANK = "LOCAL_RANK"
"""torchrun's number of this worker on its node, from 0."""

CONFIG_PASSPHRASE = "PULUMI_CONFIG_PASSPHRASE"
"""Passphrase of a Pulumi stack's secrets, as the Pulumi CLI reads it."""

CONFIG_PASSPHRASE_FILE = "PULUMI_CONFIG_PASSPHRASE_FILE"
"""File that holds the passphrase, where `PULUMI_CONFIG_PASSPHRASE` is not set."""

LIGHTHOUSE = "STEELYARD_LIGHTHOUSE"
"""Address of the lighthouse of an elastic job, `http://HOST:PORT`; not set where the set of workers is fixed."""

NODE_ADDRESS = "STEELYARD_NODE_ADDRESS"
"""Private IPv4 address of the node that a training process runs on; `127.0.0.1` where it is not set."""

MIN_WORKERS = "STEELYARD_MIN_WORKERS"
"""How few workers of an elastic job may go on; 1 where it is not set."""

PEER_TIMEOUT_S = "STEELYARD_PEER_TIMEOUT_S"
"""Seconds after which a worker takes a peer that answers nothing for hung; 10 in an elastic job where it is not set."""

RESTART_COUNT = "TORCHELASTIC_RESTART_COUNT"
"""torchrun's number of restarts before this process; in an elastic job those of all its workers together."""

MASTER_ADDR = "MASTER_ADDR"
"""torchrun's address at which the workers meet."""

MASTER_PORT = "MASTER_PORT"
"""torchrun's port there."""

BACKEND_URL = "PULUMI_BACKEND_URL"
"""Where the Pulumi CLI keeps its stacks; a folder beside the cluster's files where it is not set."""

ACCESS_KEY_ID = ("ALICLOUD_ACCESS_KEY", "ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABACLOUD_ACCESS_KEY_ID")
"""Public part of the access key, in the spellings of the vendor's provider and SDKs; the first that is set."""

ACCESS_KEY_SECRET = (
    "ALICLOUD_SECRET_KEY",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
    "ALIBABACLOUD_ACCESS_KEY_SECRET",
)
"""Secret part of the access key."""

SECURITY_TOKEN = ("ALICLOUD_SECURITY_TOKEN", "ALIBABA_CLOUD_SECURITY_TOKEN", "ALIBABACLOUD_SECURITY_TOKEN")
"""Token of a temporary access key; not set for one that lasts."""

PROFILE = ("ALICLOUD_PROFILE", "ALIBABA_CLOUD_PROFILE")
"""Profile of the `aliyun` CLI whose key is taken where no variable holds one; its current one where it is not set."""

ENDPOINT_PREFIX = "ALIBABA_CLOUD_ENDPOINT_"
"""Before a product's code, such as `ECS`: the variable that names where the product answers, `host` or `host:port`."""
