"""The RPC style of Alibaba Cloud's API: signatures, parameters, answers, driven by a schema."""
