# Data sets, prepared once into plain arrays.


rule prepare:
    input:
        lambda w: recipes.prepare(LAYOUT, w.dataset).reads,
    output:
        arrays="data/{dataset}-{hash}/arrays.npz",
        about="data/{dataset}-{hash}/dataset.json",
        record="data/{dataset}-{hash}/record.json",
    log:
        "data/logs/{dataset}-{hash}.log",
    localrule: True
    params:
        recipe=lambda w: current(recipes.prepare(LAYOUT, w.dataset)),
    message:
        "Prepare the data set {wildcards.dataset}"
    shell:
        "rediffuse prepare {wildcards.dataset} > {log} 2>&1"
