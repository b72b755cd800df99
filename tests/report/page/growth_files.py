"""What lies in the workdir of a growth, made up."""

GROW = {
    "space": "as_vit", "strategy": "growth", "topology": "8,2,3|4,1,2|4,1,4|4,1,6|32",
    "hidden": 8, "depths": [1, 1, 1, 1], "scale": 4, "classes": 10, "least": None,
    "most": 4_000_000, "preset": "as_vit", "seed": 2, "data": "photos", "size": 32,
}  # fmt: skip


def growth(done: bool, changes: dict) -> tuple[dict, dict | None, list[dict], list[dict]]:
    """Config, result with changes, records, and rounds of two steps; one has a bad candidate.

    Not done it has made one step, and has no result.
    """
    sizes = {"8,2,3,2|4,1,2,1|4,1,4,1|4,1,6,1|32,32": [2, 1, 1, 1, 32],
             "8,2,3,1|4,1,2,2|4,1,4,1|4,1,6,1|32,36": [1, 2, 1, 1, 36],
             "8,2,3,2|4,1,2,1|4,1,4,1|4,1,6,2|32,40": [2, 1, 1, 2, 40]}  # fmt: skip
    values = zip((1_500_000, 1_250_000, 3_000_000), (40.5, None, 60.0), (3.0, 2.0, 4.0),
                 (2, 4, 2), strict=True)  # fmt: skip
    candidates = [
        {"string": string, "sizes": size, "parameters": parameters, "condition_number": kappa,
         "length_distortion": distortion, "rank_sum": ranks}
        for (string, size), (parameters, kappa, distortion, ranks) in zip(
            sizes.items(), values, strict=True)
    ]  # fmt: skip
    first, bad, last = candidates
    history = [{**first, "chosen": 0, "candidates": [first, bad]},
               {**last, "chosen": 0, "candidates": [last]}]  # fmt: skip
    records = [
        {
            "round": round_, "seconds": 0.5, "key": c["string"], "arch": c["string"],
            "encoding": [[[n] for n in c["sizes"]]], "draw": round_,
            "scores": {
                "condition_number": {"values": [c["condition_number"]],
                                     "flags": ["singular" if c is bad else "ok"]},
                "length_distortion": {"values": [c["length_distortion"]], "flags": ["ok"]},
            },
        }
        for round_, c in ((0, first), (0, bad), (1, last))
    ]  # fmt: skip
    costs = (5_872_640, 7_654_321)
    family = [{**e, "multiply_adds": n} for e, n in zip((first, last), costs, strict=True)]
    result = {
        "arch": last["string"], "parameters": 3_000_000, "multiply_adds": costs[1],
        "condition_number": 60.0, "length_distortion": 4.0, "family": family,
        "preset": "as_vit", "engine": "jacobian", "architectures_scored": 3,
        "scoring_seconds": 125.0, "compile_seconds": 3.0, "run_seconds": 1.0, "bad_kernels": 1,
        "incumbents": [], **changes,
    }  # fmt: skip
    if not done:
        history, records = history[:1], records[:2]
    return GROW, result if done else None, records, history
