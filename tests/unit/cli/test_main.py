from steelyard.cli.main import _keep_proxies_off_loopback


def test_calls_of_the_local_cloud_pass_no_proxy() -> None:
    environment = {"HTTP_PROXY": "http://proxy.example:3128", "no_proxy": "internal.example"}

    _keep_proxies_off_loopback(environment)

    assert environment["NO_PROXY"] == "127.0.0.0/8,localhost"
    assert environment["no_proxy"] == "internal.example,127.0.0.0/8,localhost"
