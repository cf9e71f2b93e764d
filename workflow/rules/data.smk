# Data sets, prepared once into plain arrays.


rule prepare:
    output:
        arrays="data/{dataset}-{hash}/arrays.npz",
        about="data/{dataset}-{hash}/dataset.json",
    params:
        options=lambda w: options(PRESET.datasets[w.dataset]),
        made_by=made_by("datasets.prepare"),
    log:
        "data/logs/{dataset}-{hash}.log",
    message:
        "Prepare the data set {wildcards.dataset}"
    shell:
        "rediffuse prepare {wildcards.dataset} --preset {config[preset]} > {log} 2>&1"
