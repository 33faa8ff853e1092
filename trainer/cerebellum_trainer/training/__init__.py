"""How a training run goes, whatever is trained: seeds, schedule, streaming loader, loop, checkpoints, run
folder.

    with open_world(hardware) as world, RunFolder.open(out, "name", config, inputs, world, resume) as folder:
        loader = Loader(samples, batch, seed, world, workers=hardware.workers)
        losses = fit(Fit(module, optimiser, loss, loader, steps, rate), loop, world, folder)
        folder.finish({"lossLast": losses[-1]})

A run that was killed goes on from its newest checkpoint as if nothing had been: all chance of a step comes
from (seed, step), all chance of a sample from (seed, epoch, its number), so no generator has a past.
"""
