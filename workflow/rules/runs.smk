# Networks and samples, which the papers share.


rule train:
    input:
        lambda w: recipes.train(LAYOUT, w.run).reads,
    output:
        weights=LAYOUT.run("{run}") / "weights.safetensors",
        history=LAYOUT.run("{run}") / "history.csv",
        record=LAYOUT.run("{run}") / "record.json",
    log:
        LOGS / "train-{run}.log",
    wildcard_constraints:
        run=f"{TRAINED}(?!{CELL})(?!{either(KEEPING)}/)[A-Za-z0-9-]+",
    # Long trainings first: what waits for them is long, too.
    priority: 10
    resources:
        gpu=GPU,
        mem_mb=lambda w, attempt: 4000 * attempt,
        runtime=lambda w, attempt: 240 * attempt,
        # How many share a training, on how many nodes: of profiles, like threads, and part of no number.
        processes=1,
    params:
        recipe=lambda w: current(recipes.train(LAYOUT, w.run)),
        # What depends on resources is not recorded: other processes re-run nothing.
        launch=lambda w, resources, threads: launcher(resources, threads),
    message:
        "Train {wildcards.run}"
    shell:
        "{params.launch} train {wildcards.run} > {log} 2>&1"


use rule train as train_keeping with:
    output:
        weights=LAYOUT.run("{run}") / "weights.safetensors",
        history=LAYOUT.run("{run}") / "history.csv",
        kept=LAYOUT.kept("{run}"),
        record=LAYOUT.run("{run}") / "record.json",
    wildcard_constraints:
        run=f"{TRAINED}{either(KEEPING)}",


use rule train as train_cell with:
    # The many short trainings of DDPM's Table 2 fill what the long ones leave.
    wildcard_constraints:
        run=f"{TRAINED}{CELL}[A-Za-z0-9-]+",
    priority: 1
    resources:
        gpu=GPU,
        in_turn=1,
        mem_mb=lambda w, attempt: 4000 * attempt,
        runtime=lambda w, attempt: 60 * attempt,
        processes=1,


if IMPORTED:

    rule import_weights:
        input:
            lambda w: recipes.train(LAYOUT, w.run).reads,
        output:
            weights=LAYOUT.run("{run}") / "weights.safetensors",
            history=LAYOUT.run("{run}") / "history.csv",
            record=LAYOUT.run("{run}") / "record.json",
        log:
            LOGS / "import-{run}.log",
        wildcard_constraints:
            run=either(IMPORTED),
        # Where jobs run on other machines, this one has the network.
        localrule: True
        params:
            recipe=lambda w: current(recipes.train(LAYOUT, w.run)),
        message:
            "Import the weights of {wildcards.run}"
        shell:
            "rediffuse import-weights --run {wildcards.run} > {log} 2>&1"


if TAKEN:

    use rule train as take_features with:
        wildcard_constraints:
            run=either(TAKEN),
        # As above: this machine has the network, and a copy needs no GPU.
        localrule: True
        resources:
            gpu=0,
            processes=1,
        message:
            "Take the weights of {wildcards.run}"


rule sample:
    input:
        lambda w: recipes.sample(LAYOUT, w.samples, int(w.shard) - 1).reads,
    output:
        samples=LAYOUT.results / "samples/{run}/{samples}-{shard}of{shards}.npz",
        record=LAYOUT.results / "samples/{run}/{samples}-{shard}of{shards}.json",
    log:
        LOGS / "sample-{run}-{samples}-{shard}of{shards}.log",
    priority: 5
    resources:
        gpu=GPU,
        in_turn=1,
        mem_mb=lambda w, attempt: 4000 * attempt,
        runtime=lambda w, attempt: 60 * attempt,
    params:
        recipe=lambda w: current(recipes.sample(LAYOUT, w.samples, int(w.shard) - 1)),
    message:
        "Sample {wildcards.samples} from {wildcards.run}, shard {wildcards.shard} of {wildcards.shards}"
    shell:
        "rediffuse sample {wildcards.samples} --shard {wildcards.shard} > {log} 2>&1"
