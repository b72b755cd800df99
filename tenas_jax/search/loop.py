"""The loop that all strategies share: ask, score, record, tell, checkpoint."""

from tenas_jax.errors import UserError
from tenas_jax.runs.listeners import Listener
from tenas_jax.runs.processes import from_first
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.evaluator import Evaluator
from tenas_jax.scoring.recorder import Recorder
from tenas_jax.search.strategy import Past, Strategy, request_of


def search(
    strategy: Strategy, evaluator: Evaluator, workdir: Workdir, listener: Listener | None = None
) -> None:
    """Runs a strategy to its end, resuming from what the workdir holds.

    Every score is recorded as soon as it is there; what a round comes to is recorded after it, and
    then a checkpoint of what else the strategy knows. A run that is killed and started again asks
    the same masks, takes the scores that were recorded, and goes on; since a score depends on mask,
    draw and seed alone, it ends with the same result and the same files. Several processes run the
    loop in step; the first alone reads and writes the workdir.

    Args:
        strategy: in its first state.
        evaluator: scores what the strategy asks.
        workdir: open for this run.
        listener: hears of progress, scores and rounds.

    Raises:
        UserError: a record or the checkpoint is damaged, or lines that it builds on were lost.
    """
    listener = listener or Listener()
    recorder = Recorder(evaluator, workdir, listener)
    written = _resume(strategy, recorder)
    while not strategy.done:
        masks, request = strategy.ask(), request_of(strategy)
        scores = recorder.score_all(
            f"round {strategy.round}",
            masks,
            request.draw,
            metrics=request.metrics,
            gradients=request.gradients,
            round=strategy.round,
        )
        strategy.tell(scores)
        # The lines first: those beyond a checkpoint are written again, lost ones would be missed.
        for entry in getattr(strategy, "history", ())[written:]:
            workdir.append_round(entry)
            listener.on_round(written, entry)
            written += 1
        counts = {"records": recorder.count, "rounds": written}
        workdir.save_checkpoint({"done": strategy.done, **counts, "state": strategy.state()})


def _resume(strategy: Strategy, recorder: Recorder) -> int:
    """Restores the last checkpoint; returns how many lines of rounds it builds on."""
    workdir, records = recorder.workdir, recorder.recall()
    rounds, checkpoint = from_first([workdir.rounds(), workdir.load_checkpoint()])
    if checkpoint is None:
        workdir.cut_rounds(0)
        return 0
    lost = []
    try:
        for name, lines in (("records", records), ("rounds", rounds)):
            lost += [name] * (len(lines) < checkpoint[name])
            del lines[checkpoint[name] :]
        if not lost:
            past = Past(rounds, records, recorder.evaluator.key)
            strategy.restore(checkpoint["state"], past)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise UserError(f"{workdir.path}: the checkpoint is damaged ({error!r})") from error
    if lost:
        raise UserError(f"{workdir.path} holds a checkpoint, but its {lost[0]} were lost")
    workdir.cut_rounds(len(rounds))
    return len(rounds)
