"""Train a small GPT on the sources of the Python standard library, on one worker or many.

Alone:             python train.py --steps 20
Under torchrun:    torchrun --nproc-per-node 2 train.py
On a cluster:      steelyard train train.py
With checkpoints:  steelyard train --checkpoint /mnt/shared/char-lm --checkpoint-every 50 train.py
"""

from __future__ import annotations

import argparse
import math
import time

import torch
from corpus import NUM_SYMBOLS, Chunks, load_corpus
from model import GPT
from torch.nn import functional
from torch.utils.data import DataLoader, Subset

from steelyard.training import Balancer

LENGTH = 64
NUM_HELD_OUT = 256
NUM_WARM_UP_STEPS = 10


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=200, help="steps of training")
    parser.add_argument("--global-batch", type=int, default=48, help="samples of a step over all workers")
    parser.add_argument("--blocks", type=int, default=1, help="transformer blocks of the model")
    parser.add_argument("--learning-rate", type=float, default=1e-2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--validate",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="measure bits per character on held-out text before and after",
    )
    parser.add_argument(
        "--imitated-sample-ms",
        type=float,
        help="pace of an imitated accelerator of relative speed 1; only counts where one is imitated",
    )
    return parser.parse_args()


def loss_of(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


@torch.no_grad()
def bits_per_char(model: torch.nn.Module, chunks: Chunks) -> float:
    evenly = range(0, len(chunks), max(len(chunks) // NUM_HELD_OUT, 1))
    losses = [loss_of(model(x), y) for x, y in DataLoader(Subset(chunks, evenly), batch_size=64)]
    return float(torch.stack(losses).mean()) / math.log(2)


def learning_rate_factor(step: int, num_steps: int) -> float:
    warm_up = min(1.0, (step + 1) / NUM_WARM_UP_STEPS)
    return warm_up * (0.1 + 0.9 * 0.5 * (1.0 + math.cos(math.pi * step / num_steps)))


def main() -> None:
    args = parse_args()
    torch.manual_seed(args.seed)
    corpus = load_corpus(LENGTH)
    gpt = GPT(NUM_SYMBOLS, length=LENGTH, num_blocks=args.blocks)
    optimizer = torch.optim.AdamW(gpt.parameters(), lr=args.learning_rate, betas=(0.9, 0.95), fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda at: learning_rate_factor(at, args.steps))

    pace_s = args.imitated_sample_ms / 1000 if args.imitated_sample_ms else None
    balancer = Balancer(args.global_batch, seed=args.seed, imitated_sample_s=pace_s)
    loader = balancer.loader(corpus.train, num_steps=args.steps)
    model = balancer.prepare(gpt, optimizer)
    balancer.keep(schedule=schedule)
    begun_at = balancer.checkpoint()  # where `steelyard train --checkpoint` says; else nothing is saved

    def validate() -> None:
        if args.validate and balancer.rank == 0:
            bits = bits_per_char(gpt, corpus.held_out)
            balancer.metric("bits_per_char", bits)
            print(f"step {balancer.step}: {bits:.3f} bits per character on held-out text", flush=True)

    validate()
    warmed_up_s = time.perf_counter()
    for x, y in loader:
        loss = balancer.weigh(loss_of(model(x), y))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        step = balancer.step
        if step - begun_at == NUM_WARM_UP_STEPS:
            warmed_up_s = time.perf_counter()
        if balancer.rank == 0 and step % 20 == 0:
            print(f"step {step}: loss {loss.item():.3f}, shares {balancer.shares}", flush=True)
    seconds = time.perf_counter() - warmed_up_s
    validate()

    num_timed = args.steps - begun_at - NUM_WARM_UP_STEPS
    rate = num_timed * args.global_batch / seconds if num_timed > 0 else None
    balancer.result({"steps": args.steps, "samples_per_s": rate, "shares": list(balancer.shares)})
    balancer.close()


if __name__ == "__main__":
    main()
