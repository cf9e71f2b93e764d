# Data sets, prepared once into plain arrays.


rule prepare:
    input:
        # A folder of the user's own images is what its data set depends on.
        lambda w: IMAGES.get(w.dataset, []),
    output:
        arrays="data/{dataset}-{hash}/arrays.npz",
        about="data/{dataset}-{hash}/dataset.json",
    log:
        "data/logs/{dataset}-{hash}.log",
    localrule: True
    params:
        options=lambda w: options(PRESET.datasets[w.dataset]),
        made_by=made_by(
            "datasets.prepare", "pillow", "scikit-image", "scikit-learn", "scipy"
        ),
    message:
        "Prepare the data set {wildcards.dataset}"
    shell:
        "rediffuse prepare {wildcards.dataset} > {log} 2>&1"
