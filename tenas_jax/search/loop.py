"""The loop that all strategies share: ask, score, record, tell, checkpoint."""

from collections.abc import Callable

from tenas_jax.errors import UserError
from tenas_jax.runs.processes import from_first
from tenas_jax.runs.workdir import Workdir
from tenas_jax.scoring.evaluator import Evaluator, Score
from tenas_jax.search.strategy import Request, Strategy, request_of

Progress = Callable[[int, int, int], None]  # round, scored, of how many


def search(
    strategy: Strategy, evaluator: Evaluator, workdir: Workdir, progress: Progress | None = None
) -> None:
    """Runs a strategy to its end, resuming from what the workdir holds.

    Every score is recorded as soon as it is there, and a state is saved after every round: a run
    that is killed and started again asks the same masks, finds the scores that were recorded, and
    goes on; since a score depends on mask, round and seed alone, it ends with the same result.
    Several processes run the loop in step; the first alone reads and writes the workdir.

    Args:
        strategy: in its first state.
        evaluator: scores what the strategy asks.
        workdir: open for this run.
        progress: called after each score.
    """
    recorded = _resume(strategy, workdir)
    while not strategy.done:
        masks, request = strategy.ask(), request_of(strategy)
        wanted = request.metrics or evaluator.protocol.metrics
        known = recorded.setdefault((request.draw, frozenset(wanted)), {})
        scores: list[Score | None] = [None] * len(masks)
        for done, (i, key, score, new) in enumerate(
            evaluator.score(
                masks, request.draw, known, metrics=wanted, gradients=request.gradients
            ),
            1,
        ):
            scores[i] = score
            if new:
                workdir.append(_record(strategy.round, request, key, masks[i], evaluator, score))
                known[key] = score
            if progress is not None:
                progress(strategy.round, done, len(masks))
        strategy.tell(scores)
        workdir.save_checkpoint(strategy.state())


Known = dict[tuple[int, frozenset[str]], dict[str, Score]]  # (draw, metrics) -> key -> score


def _resume(strategy: Strategy, workdir: Workdir) -> Known:
    """Restores the strategy's last state, and returns the recorded scores.

    Raises:
        UserError: the checkpoint or a record is not one of this strategy's, or records were lost.
    """
    records, state = from_first([workdir.records(), workdir.load_checkpoint()])
    if state is not None:
        if not records:
            raise UserError(f"{workdir.path} holds a checkpoint, but its records were lost")
        try:
            strategy.restore(state)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise UserError(f"{workdir.path}: the checkpoint is damaged ({error!r})") from error
    recorded: Known = {}
    for line, record in enumerate(records, 1):
        try:
            score = Score.from_record(record)
            known = record.get("draw", record["round"]), frozenset(score.values)
            recorded.setdefault(known, {})[record["key"]] = score
        except (KeyError, TypeError, UserError) as error:
            raise UserError(f"{workdir.path}: record {line} is damaged: {error}") from error
    return recorded


def _record(
    round_: int, request: Request, key: str, mask, evaluator: Evaluator, score: Score
) -> dict:
    """A line of `records.jsonl`; the draw stands in it where it is not the round."""
    return {
        "round": round_,
        **({} if request.draw == round_ else {"draw": request.draw}),
        "key": key,
        "mask": mask.tolist(),
        "description": evaluator.space.describe(mask),
        "engine": evaluator.engine,
        **score.to_record(),
    }
