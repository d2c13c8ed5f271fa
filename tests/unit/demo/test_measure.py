from steelyard.demo.measure import NUM_WARM_UP_STEPS, Training


def step(index: int, time: float) -> dict[str, object]:
    nodes = [{"rank": 0, "share": 30}, {"rank": 1, "share": 18}]
    return {
        "kind": "step",
        "step": index,
        "time": time,
        "global_batch": 48,
        "nodes": nodes,
        "is_imitated": True,
    }


def test_the_rate_leaves_the_warm_up_out() -> None:
    slow = [step(index, float(index)) for index in range(NUM_WARM_UP_STEPS)]
    fast = [step(NUM_WARM_UP_STEPS + index, NUM_WARM_UP_STEPS - 1 + 0.1 * (index + 1)) for index in range(20)]

    training = Training(events=[*slow, *fast])

    assert abs(training.samples_per_s - 480) < 1e-6
    assert abs(training.step_s - 0.1) < 1e-9


def test_a_run_shorter_than_the_warm_up_has_no_rate() -> None:
    assert Training(events=[step(0, 0.0), step(1, 1.0)]).samples_per_s == 0.0
    assert Training(events=[]).shares == []


def test_metrics_and_shares_are_told_apart_from_steps() -> None:
    metric = {"kind": "metric", "time": 0.0, "step": 0, "name": "bits_per_char", "value": 6.5}

    training = Training(events=[metric, step(0, 0.0), {**metric, "value": 3.5}, {**metric, "name": "other"}])

    assert training.metric("bits_per_char") == [6.5, 3.5]
    assert training.shares == [30, 18]
    assert training.num_steps == 1
    assert training.is_imitated
