"""The peer of bench/allreduce.ts: torch.distributed's gloo on loopback.

python allreduce_peer.py RANKS FLOATS ROUNDS prints {"times": [milliseconds of each allreduce on rank 0],
"cpu": milliseconds of one, over all ranks}.
"""

import json
import os
import socket
import sys
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def run(rank, ranks, floats, rounds, port):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), GLOO_SOCKET_IFNAME="lo")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=ranks)
    vector = torch.rand(floats)
    dist.all_reduce(vector)
    times = []
    cpu = time.process_time()
    for _ in range(rounds):
        dist.barrier()
        start = time.perf_counter()
        dist.all_reduce(vector)
        dist.barrier()
        times.append((time.perf_counter() - start) * 1000)
    total = torch.tensor([time.process_time() - cpu], dtype=torch.float64)
    dist.all_reduce(total)
    if rank == 0:
        print(json.dumps({"times": times, "cpu": total.item() * 1000 / rounds}))
    dist.destroy_process_group()


if __name__ == "__main__":
    ranks, floats, rounds = map(int, sys.argv[1:4])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(run, (ranks, floats, rounds, port), nprocs=ranks)
