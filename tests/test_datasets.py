"""The data sets: heartbeat, dead leaves and patches against their closed forms, and how networks see each of them."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter, ValidationError

from rediffuse.config import Dataset, DeadLeaves
from rediffuse.config import Heartbeat as HeartbeatOptions
from rediffuse.datasets import dead_leaves, folder, patches, textures
from rediffuse.datasets.heartbeat import Heartbeat
from rediffuse.datasets.heartbeat import read as heartbeats
from rediffuse.datasets.prepare import prepare
from rediffuse.datasets.prepared import load
from rediffuse.errors import UserError
from rediffuse.files import sha256


def generator(seed=0):
    return np.random.default_rng(seed)


def options(**given):
    return TypeAdapter(Dataset).validate_python(given)


def prepared(into, **given):
    prepare("name", options(**given), into)
    return load(into)


# --- heartbeat ---

SHORT = Heartbeat(length=7, period=3)  # phases of 3, 2 and 2 bins
ALL = np.array(list(itertools.product([0, 1], repeat=SHORT.length)), np.uint8)
CHAIN = pytest.mark.parametrize(("alpha_bar", "rate"), [(0.9, 0.2), (0.4, 1 / 3), (1e-3, 0.5), (0.0, 0.2)])


def likelihoods(alpha_bar, rate):
    """q(x_t | x_0), all x_t (128) by all sequences (3), bit by bit."""
    out = np.empty((len(ALL), SHORT.period))
    for i, x_t in enumerate(ALL):
        for k in range(SHORT.period):
            x_0 = [1 if bin % 3 == k else 0 for bin in range(SHORT.length)]
            p = [alpha_bar * bit + (1 - alpha_bar) * rate for bit in x_0]
            out[i, k] = math.prod(q if bit else 1 - q for bit, q in zip(x_t, p, strict=True))
    return out


def test_the_sequences_of_the_paper():
    rows = ["".join(map(str, row)) for row in Heartbeat(20, 5).sequences()]
    assert rows == ["10000" * 4, "01000" * 4, "00100" * 4, "00010" * 4, "00001" * 4]


def test_the_heartbeats_distribution_is_uniform_on_its_sequences():
    log_p = SHORT.log_probability(ALL)
    assert [tuple(row) for row in ALL[SHORT.valid(ALL)]] == sorted(tuple(row) for row in SHORT.sequences())
    assert np.array_equal(SHORT.valid(ALL), log_p > -np.inf)
    assert np.exp(log_p).sum() == pytest.approx(1, rel=1e-12)
    assert Heartbeat(20, 5).log_probability(Heartbeat(20, 5).sequences()) / math.log(2) == pytest.approx([-2.321928] * 5, abs=1e-6)


def test_samples_are_sequences_and_each_as_often():
    x = SHORT.sample(30_000, generator())
    counts = [(x == sequence).all(1).sum() for sequence in SHORT.sequences()]
    assert sum(counts) == len(x)
    assert np.abs(np.array(counts) - 10_000).max() < 4 * math.sqrt(30_000 * 2 / 9)


@CHAIN
def test_the_entropy_is_that_of_all_sequences_counted(alpha_bar, rate):
    q = likelihoods(alpha_bar, rate).mean(1)
    assert q.sum() == pytest.approx(1, rel=1e-12)
    assert SHORT.entropy(alpha_bar, rate) == pytest.approx(-(q * np.log(q)).sum(), rel=1e-12)


def test_the_entropy_at_the_ends_of_the_papers_chain():
    """log 5 of the data; 20 independent bits of rate 0.2 of the noise."""
    noise = -20 * (0.2 * math.log(0.2) + 0.8 * math.log(0.8))
    assert Heartbeat(20, 5).entropy(1.0, 0.2) == pytest.approx(math.log(5), rel=1e-12)
    assert Heartbeat(20, 5).entropy(0.0, 0.2) == pytest.approx(noise, rel=1e-12)


def test_an_entropy_of_too_many_terms_is_refused():
    with pytest.raises(ValueError, match=r"length 40, period 20: the entropy is a sum of 3486784401 terms"):
        Heartbeat(40, 20).entropy(0.5, 0.2)


@CHAIN
def test_the_posterior_is_bayes_over_the_sequences(alpha_bar, rate):
    joint = likelihoods(alpha_bar, rate)
    expected = joint / joint.sum(1, keepdims=True) @ SHORT.sequences()
    np.testing.assert_allclose(SHORT.posterior(ALL, alpha_bar, rate), expected, rtol=1e-12, atol=1e-15)


def test_the_posterior_of_clean_data_is_the_data_and_of_what_cannot_be_is_refused():
    assert np.array_equal(SHORT.posterior(SHORT.sequences(), 1.0, 0.2), SHORT.sequences())
    with pytest.raises(ValueError, match=r"probability 0 at alpha_bar 1\.0"):
        SHORT.posterior(ALL, 1.0, 0.2)


def test_the_heartbeats_arrays_are_the_same_for_a_seed():
    options = HeartbeatOptions(kind="heartbeat", length=7, period=3, train=300, test=200)
    first, again, other = (heartbeats(options.model_copy(update={"seed": seed})).arrays for seed in (0, 0, 1))
    assert {name: (x.shape, x.dtype.name) for name, x in first.items()} == {"x_train": ((300, 7), "uint8"), "x_test": ((200, 7), "uint8")}
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["x_train"], other["x_train"])
    assert not np.array_equal(first["x_train"][:200], first["x_test"])


# --- dead leaves ---

LAW = {"radius_min": 1.5, "radius_max": 8.0, "exponent": 3.0}
FINE = (np.arange(200_000) + 0.5) / 200_000


def moment(k, exponent, low, high):
    """E r^k of the density ~ r^-exponent on [low, high]."""

    def integral(power):
        return math.log(high / low) if power == -1 else (high ** (power + 1) - low ** (power + 1)) / (power + 1)

    return integral(k - exponent) / integral(-exponent)


@pytest.mark.parametrize("exponent", [3.0, 2.5, 1.0, 0.5])
def test_the_radii_follow_the_power_law(exponent):
    """All of u's range by the midpoint rule, whose error falls as 1 / 200,000^2."""
    r = dead_leaves.radii(FINE, 1.5, 8.0, exponent)
    assert [(r**k).mean() for k in (-1, 1, 2)] == pytest.approx([moment(k, exponent, 1.5, 8.0) for k in (-1, 1, 2)], rel=1e-8)
    assert (r.min(), r.max()) == pytest.approx((1.5, 8.0), rel=1e-3)


def test_radii_that_are_all_the_same():
    np.testing.assert_allclose(dead_leaves.radii(FINE, 3.0, 3.0, 3.0), 3.0, rtol=1e-15)


def same_disc(offsets, law):
    """The probability that one disc is the first to cover both of two points, from their offset (n, 2).

    A disc of radius r covers both if its centre is in the lens where two discs about them overlap, and at least one if it is in their
    union: E lens / (2 pi E r^2 - E lens).
    """
    r = dead_leaves.radii(FINE[::100], **law)
    d = np.minimum(np.linalg.norm(offsets, axis=1)[:, None], 2 * r)
    lens = (2 * r**2 * np.arccos(d / (2 * r)) - d / 2 * np.sqrt(4 * r**2 - d**2)).mean(1)
    return lens / (2 * math.pi * (r**2).mean() - lens)


def pixel_covariance(down, across, law):
    """Of two pixels' grey levels: 256^2 / 12 where one disc covers both, averaged over the 4 x 4 pairs of their points."""
    at = np.array(list(itertools.product([0.25, 0.75], repeat=2)))
    offsets = (np.array([down, across]) + at[:, None] - at).reshape(-1, 2)
    return 256**2 / 12 * same_disc(offsets, law).mean()


@pytest.mark.parametrize("law", [LAW, {"radius_min": 5.0, "radius_max": 5.0, "exponent": 3.0}], ids=["power law", "one radius"])
def test_pixels_covary_as_one_disc_covers_them_everywhere_in_the_image(law):
    """The closed form of the stationary model, within 4 standard errors over images, in the whole image and at its edges and seams.

    An image of 20 pixels is made in four squares, whose seam lies before pixel 16; discs that were missing beyond the border would show
    in the first or the last column. A level is 127.5 on average: the grey in 0..256, rounded down.
    """
    x = dead_leaves.images(0, 2500, 20, **law, seed=0)[:, 0].astype(float) - 127.5
    turned = x[:, ::-1, ::-1]
    parts = {"all": (x, np.arange(14)), "first column": (x, [0]), "last column": (turned, [0]), "seam": (x, [15])}
    for down, across in [(0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (3, 0), (2, 4), (6, 4)]:
        expected = pixel_covariance(down, across, law)
        for name, (pixels, columns) in parts.items():
            one, other = pixels[:, :14, columns], pixels[:, down : down + 14, np.add(columns, across)]
            product = (one * other).mean(axis=(1, 2))
            error = product.std() / math.sqrt(len(product))
            assert abs(product.mean() - expected) < 4 * error, (name, down, across)


def test_every_point_of_an_image_is_covered(monkeypatch):
    """Points start as what cannot be drawn, in the place of what stands in memory."""
    cover, drawn = dead_leaves._cover, []

    def spy(grey, bare, *rest):
        if len(bare) == len(grey):
            grey[:] = np.nan
            drawn.append(grey)
        return cover(grey, bare, *rest)

    monkeypatch.setattr(dead_leaves, "_cover", spy)
    dead_leaves.images(0, 50, 20, **LAW, seed=0)
    assert sum(map(len, drawn)) >= 50 * (2 * 20) ** 2
    assert np.isfinite(np.concatenate(drawn)).all()


def test_an_image_is_the_same_whatever_is_made_with_it():
    many = dead_leaves.images(0, 6, 20, **LAW, seed=3)
    assert (many.shape, many.dtype) == ((6, 1, 20, 20), np.uint8)
    assert np.array_equal(dead_leaves.images(4, 1, 20, **LAW, seed=3), many[4:5])
    assert np.array_equal(dead_leaves.images(2, 4, 20, **LAW, seed=3), many[2:])
    assert not np.array_equal(dead_leaves.images(0, 6, 20, **LAW, seed=4), many)
    assert len(np.unique(many.reshape(6, -1), axis=0)) == 6


def test_test_images_follow_the_images_to_train_on():
    arrays = dead_leaves.read(DeadLeaves(kind="dead-leaves", size=5, train=7, test=4, seed=1, **LAW)).arrays
    assert np.array_equal(np.concatenate([arrays["x_train"], arrays["x_test"]]), dead_leaves.images(0, 11, 5, **LAW, seed=1))


def test_one_disc_far_larger_than_the_image_is_one_grey_level():
    """All 256 levels come, and each as often."""
    x = dead_leaves.images(0, 3000, 2, radius_min=1000.0, radius_max=1000.0, exponent=3.0, seed=0).reshape(3000, 4)
    plain = x[(x == x[:, :1]).all(1), 0]
    assert len(plain) > 2950  # an edge passes in about perimeter / (pi radius) = 0.2 % of the images
    assert len(np.unique(plain)) == 256  # each is missed with a probability of exp(-2950 / 256) = 1e-5
    assert np.abs(np.bincount(plain // 16, minlength=16) - len(plain) / 16).max() < 4 * math.sqrt(len(plain) / 16)


# --- patches of pictures ---


def test_patches_to_train_and_to_test_on_share_no_pixel_and_leave_none_out():
    """Each picture's pixels hold its own number, its row or its column; 66 columns are cut at 49."""
    rows, columns = np.meshgrid(np.arange(20), np.arange(66), indexing="ij")
    made = {
        name: patches.arrays(np.stack([p, p]).astype(np.uint8), 8, 3000, 1000, 0) for name, p in {"row": rows, "column": columns}.items()
    }
    assert set(made["column"]["x_train"].flat) == set(range(49))
    assert set(made["column"]["x_test"].flat) == set(range(49, 66))
    assert set(made["row"]["x_train"].flat) == set(made["row"]["x_test"].flat) == set(range(20))
    assert (made["column"]["held_out"][:, 0] == np.arange(49, 66)).all()
    assert made["column"]["held_out"].shape == (2, 1, 20, 17)
    x = made["column"]["x_train"]
    assert (x.shape, x.dtype) == ((3000, 1, 8, 8), np.uint8)
    assert (np.diff(x, axis=3) == 1).all()
    assert (np.diff(made["row"]["x_train"], axis=2) == 1).all()


def test_pictures_are_drawn_from_alike_and_again_for_a_seed():
    pictures = np.arange(3, dtype=np.uint8)[:, None, None] * np.ones((8, 32), np.uint8)
    first, again, other = (patches.arrays(pictures, 8, 3000, 10, seed) for seed in (0, 0, 1))
    counts = np.bincount(first["x_train"][:, 0, 0, 0])
    assert np.abs(counts - 1000).max() < 4 * math.sqrt(3000 * 2 / 9)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["x_train"], other["x_train"])


def test_the_least_picture_has_one_patch_to_test_on():
    height, width = patches.least(5)
    picture = generator().integers(0, 256, (1, height, width), dtype=np.uint8)
    assert np.array_equal(patches.arrays(picture, 5, 1, 1, 0)["x_test"][0], picture[:, :, -5:])


def test_shrinking_takes_means_and_cuts_what_is_left_over():
    picture = np.array([[0, 2, 10, 10, 99], [4, 6, 20, 21, 99], [7, 7, 7, 7, 7]], np.uint8)
    assert patches.shrunk(picture, 2).tolist() == [[3, 15]]
    assert patches.shrunk(picture, 1).tolist() == picture.tolist()


def test_the_textures_are_photographs_that_ship_with_scikit_image():
    pictures = textures.photographs(["gravel", "brick"], 4)
    assert pictures.shape == (2, 128, 128)
    assert (pictures.std(axis=(1, 2)) > 20).all()
    assert np.array_equal(pictures[1], textures.photographs(["brick"], 4)[0])


# --- a folder of images ---


def image(seed=0, shape=(8, 32)):
    return generator(seed).integers(0, 256, shape, dtype=np.uint8)


def save(path, array):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def test_a_folder_is_read_by_name_in_grey_and_only_its_images(tmp_path):
    colour = image(1, (8, 32, 3))
    for name in ("d.bmp", "c.tif", "b.PNG", "e.pgm"):
        save(tmp_path / name, image(0))
    save(tmp_path / "a.png", colour)
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "folder.png").mkdir()
    assert [file.name for file in folder.files(tmp_path)] == ["a.png", "b.PNG", "c.tif", "d.bmp", "e.pgm"]
    pictures = folder.pictures(tmp_path, shrink=1, size=8)
    assert all(np.array_equal(picture, image(0)) for picture in pictures[1:])
    # ITU-R 601, rounded down by Pillow in fixed point.
    np.testing.assert_allclose(pictures[0], colour @ [0.299, 0.587, 0.114], rtol=0, atol=1)


def test_a_folder_becomes_a_data_set_that_knows_its_files(tmp_path):
    file = save(tmp_path / "bark" / "T01.png", image())
    data = prepared(tmp_path / "out", kind="folder", path=str(file.parent), size=4, train=50, test=20, shrink=2)
    assert data.shape == (1, 4, 4)
    assert np.array_equal(data.arrays["held_out"][0, 0], patches.shrunk(image(), 2)[:, 12:])
    about = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert about["title"] == "bark 4 x 4"
    assert about["source"] == {"T01.png": {"sha256": sha256(file.read_bytes())}}


def whole(path):
    save(path / "b.png", image())
    return path / "b.png"


def empty(path):
    path.mkdir()
    (path / "notes.txt").write_text("no image")
    return path


def no_image(path):
    whole(path)
    (path / "a.png").write_bytes(b"not an image")
    return path / "a.png"


def truncated(path):
    (path.parent / "whole.png").write_bytes(content := whole(path).read_bytes())
    (path / "c.png").write_bytes(content[: len(content) // 2])
    return path / "c.png"


def another_size(path):
    whole(path)
    return save(path / "c.png", image(0, (32, 8)))


def deep(path):
    return save(path / "a.png", image().astype(np.uint16) * 256)


def small(path):
    return save(path / "a.png", image(0, (7, 32)))


def narrow(path):
    return save(path / "a.png", image(0, (8, 31)))


FOLDERS = {
    "absent": (lambda path: path, "could not be read: No such file or directory; expected a folder of images, as seen from "),
    "a file": (lambda path: path.write_text("") or path, "could not be read: Not a directory; expected a folder of images, as seen from "),
    "no images": (empty, "no image found in it; expected files named *.png, *.jpg, "),
    "no image": (no_image, "found no image that Pillow can read; expected one, since its name ends in .png"),
    "truncated": (truncated, "could not be read ("),
    "another size": (another_size, "found 8 x 32 pixels; expected 32 x 8 as b.png has"),
    "16 bits": (deep, "found pixels of Pillow's mode I;16; expected 8 bits a colour"),
    "not high enough": (small, "found 32 x 7 pixels; expected at least 32 x 8: patches of 8 x 8 to test on are cut from the right quarter"),
    "not wide enough": (narrow, "found 31 x 8 pixels; expected at least 32 x 8: "),
}


@pytest.mark.parametrize(("make", "expected"), FOLDERS.values(), ids=FOLDERS.keys())
def test_a_folder_that_will_not_do_is_refused_in_one_line(tmp_path, make, expected):
    named = make(tmp_path / "pictures")
    with pytest.raises(UserError) as error:
        prepared(tmp_path / "out", kind="folder", path=str(tmp_path / "pictures"), size=8, train=5, test=5)
    line = str(error.value)
    assert line.startswith(f"{named}: {expected}")
    assert "\n" not in line
    assert not (tmp_path / "out").exists()


def test_an_image_that_shrinks_to_nothing_is_refused(tmp_path):
    file = save(tmp_path / "pictures" / "a.png", image())
    with pytest.raises(UserError) as error:
        folder.pictures(file.parent, shrink=9, size=8)
    assert str(error.value).startswith(f"{file}: found 3 x 0 pixels after shrinking by 9; expected at least 32 x 8: ")


# --- arrays of one's own ---


def own(path, **changes):
    """An .npz file of 6 and 4 images of 8 x 8 in colour; a change of None leaves an array out."""
    made = {"x_train": image(0, (6, 3, 8, 8)), "y_train": np.arange(6, dtype=np.uint8)}
    made |= {"x_test": image(1, (4, 3, 8, 8)), "y_test": np.arange(4, dtype=np.uint8), "index": np.arange(6)} | changes
    np.savez(path, **{name: array for name, array in made.items() if array is not None})
    return path


def test_arrays_of_ones_own_are_taken_as_they_are(tmp_path):
    file = own(tmp_path / "mine.npz")
    data = prepared(tmp_path / "out", kind="npz", path=str(file), size=8)
    assert (data.shape, data.levels, data.classes, sorted(data.arrays)) == ((3, 8, 8), 256, 6, ["x_test", "x_train", "y_test", "y_train"])
    assert np.array_equal(data.arrays["x_train"], image(0, (6, 3, 8, 8)))
    np.testing.assert_allclose(data.x("test"), image(1, (4, 3, 8, 8)) / 127.5 - 1, atol=1e-6)
    about = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert (about["title"], about["source"]) == ("mine 8 x 8", {"mine.npz": {"sha256": sha256(file.read_bytes())}})


def test_arrays_without_labels_have_no_classes(tmp_path):
    file = own(tmp_path / "mine.npz", y_train=None, y_test=None)
    assert prepared(tmp_path / "out", kind="npz", path=str(file), size=8).classes is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"x_test": None}, "x_test: found nothing; expected uint8"),
        ({"x_train": np.zeros((6, 3, 8, 8))}, "x_train: found float64; expected uint8"),
        ({"x_train": image(0, (6, 8, 8, 3))}, "x_train: found shape (6, 8, 8, 3); expected (n, 1 or 3, 8, 8)"),
        ({"x_test": image(0, (4, 1, 8, 8))}, "x_test: found 1 colours; expected 3 as x_train has"),
        ({"x_train": image(0, (1, 3, 8, 8))}, "x_train: found 1 image; expected at least 2, between which something can be compared"),
        ({"x_test": image(0, (1, 3, 8, 8))}, "x_test: found 1 image; expected at least 2, between which something can be compared"),
        ({"y_test": None}, "y_test: found nothing; expected uint8"),
        ({"y_train": None}, "y_train: found nothing; expected uint8"),
        ({"y_train": np.arange(5, dtype=np.uint8)}, "y_train: found shape (5,); expected (6,), a label for each image"),
    ],
)
def test_arrays_that_will_not_do_are_refused_in_one_line(tmp_path, changes, expected):
    file = own(tmp_path / "mine.npz", **changes)
    with pytest.raises(UserError) as error:
        prepared(tmp_path / "out", kind="npz", path=str(file), size=8)
    assert str(error.value) == f"{file}: {expected}"
    assert not (tmp_path / "out").exists()


def test_an_absent_file_of_arrays_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no such file; expected the \.npz file of a data set, as seen from"):
        prepared(tmp_path / "out", kind="npz", path=str(tmp_path / "mine.npz"), size=8)


# --- as networks see them ---

STANDARDISED = {
    "digits": {"kind": "digits", "standardise": True},
    "dead leaves": {"kind": "dead-leaves", "size": 8, "train": 300, "test": 100},
    "textures": {"kind": "textures", "size": 8, "train": 300, "test": 100},
}


@pytest.mark.parametrize("given", STANDARDISED.values(), ids=STANDARDISED.keys())
def test_standardised_data_have_mean_0_and_variance_1_with_noise_one_grey_level_wide(tmp_path, given):
    data = prepared(tmp_path, **given)
    assert (data.continuous, data.binary) == (True, False)
    width = data.dequantise
    assert data.as_x(np.array(8.0)) - data.as_x(np.array(7.0)) == pytest.approx(width, rel=1e-5)  # float32, of numbers of about 1
    grey = data.arrays["x_train"].astype(float) * data.multiply + data.add
    assert grey.mean() == pytest.approx(0, abs=1e-9)
    assert grey.var() + width**2 / 12 == pytest.approx(1, rel=1e-9)

    x = data.x("train")
    assert x.dtype == np.float32
    noise = x - grey
    se = width / math.sqrt(12 * x.size)  # of the noise's mean; in the variance its covariance with the grey levels counts twice
    assert abs(x.mean(dtype=float)) < 4 * se
    assert abs(x.var(dtype=float) - 1) < 4 * 2 * se
    assert np.abs(noise).max() == pytest.approx(width / 2, rel=1e-3)
    assert noise.std() == pytest.approx(width / math.sqrt(12), rel=0.02)

    # Noise that is half a level to within float32's rounding can go to the next one.
    assert (data.to_levels(x) != data.arrays["x_train"]).mean() < 1e-4
    assert np.array_equal(data.to_levels(grey), data.arrays["x_train"])


def test_dequantisation_noise_is_the_same_every_time_and_another_in_each_split(monkeypatch, tmp_path):
    data = prepared(tmp_path, **STANDARDISED["textures"])
    noise = {split: data.x(split) - data.as_x(data.arrays[f"x_{split}"]) for split in ("train", "test")}
    again = load(tmp_path).x("train")
    assert np.array_equal(again, data.x("train"))
    monkeypatch.setattr("rediffuse.datasets.prepared.BLOCK", 7)  # it is scaled a block at a time
    assert np.array_equal(again, data.x("train"))
    assert abs(np.corrcoef(noise["train"][:100].ravel(), noise["test"].ravel())[0, 1]) < 4 / math.sqrt(noise["test"].size)


def test_digits_are_scaled_as_in_ddpm_unless_standardised(tmp_path):
    data = prepared(tmp_path, kind="digits")
    assert (data.multiply, data.add, data.dequantise, data.levels, data.classes) == (1 / 8, -1.0, 0.0, 17, 10)
    assert (data.continuous, data.binary) == (False, False)
    x = data.x("train")
    assert (x.min(), x.max()) == (-1, 1)
    assert np.array_equal(data.to_levels(x), data.arrays["x_train"])
    assert data.to_levels(np.float32([-7, -1.01, -0.95, 0.06, 0.07, 1.2])).tolist() == [0, 0, 0, 8, 9, 16]


def test_the_heartbeat_is_seen_as_bits(tmp_path):
    data = prepared(tmp_path, kind="heartbeat", train=100, test=50)
    assert (data.binary, data.continuous, data.levels, data.shape) == (True, False, 2, (20,))
    assert set(data.x("train").flat) == {0.0, 1.0}
    assert np.array_equal(data.to_levels(data.x("test")), data.arrays["x_test"])


def test_the_swiss_roll_is_seen_as_it_is(tmp_path):
    data = prepared(tmp_path, kind="swiss-roll", train=100, test=50)
    assert (data.binary, data.continuous, data.levels, data.dequantise) == (False, True, None, 0.0)
    assert np.array_equal(data.x("train"), data.arrays["x_train"])
    assert data.to_levels(data.x("test")) is not None
    assert np.array_equal(data.to_levels(data.x("test")), data.arrays["x_test"])


def test_samples_of_any_scale_are_clipped_to_the_grey_levels(tmp_path):
    data = prepared(tmp_path, **STANDARDISED["dead leaves"])
    levels = np.array([-40, -0.6, 0.4, 0.6, 200, 254.6, 255.4, 300])
    assert data.to_levels(levels * data.multiply + data.add).tolist() == [0, 0, 0, 1, 200, 255, 255, 255]


def test_the_json_says_how_the_data_are_scaled_and_dequantised(tmp_path):
    data = prepared(tmp_path, **STANDARDISED["dead leaves"])
    about = json.loads((tmp_path / "dataset.json").read_text())
    levels = data.arrays["x_train"].astype(float)
    std = math.sqrt(levels.var() + 1 / 12)
    assert about["scale"] == pytest.approx({"multiply": 1 / std, "add": -levels.mean() / std}, rel=1e-12)
    assert about["dequantisation"] == pytest.approx({"width": 1 / std, "levels": 1}, rel=1e-12)
    assert (about["shape"], about["levels"], about["classes"], about["source"]) == ([1, 8, 8], 256, None, None)
    assert about["splits"] == {"train": {"n": 300}, "test": {"n": 100}}
    assert about["options"] == options(**STANDARDISED["dead leaves"]).model_dump(mode="json")


def test_the_same_options_give_the_same_bytes(tmp_path):
    for given in (*STANDARDISED.values(), {"kind": "heartbeat"}):
        hashes = [prepared(tmp_path / part, **given).sha256 for part in ("a", "b")]
        assert hashes[0] == hashes[1]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"dequantisation": ...}, "key 'dequantisation' not found"),
        ({"dequantisation": {}}, "key 'width' not found"),
        ({"dequantisation": 1}, "damaged ('int' object is not subscriptable)"),
        ({"dequantisation": {"width": "one"}}, "damaged (could not convert string to float: 'one')"),
        ({"dequantisation": {"width": -1}}, "damaged (scale.multiply 0.125, scale.add -1.0, dequantisation.width -1.0)"),
        ({"dequantisation": {"width": math.nan}}, "damaged (scale.multiply 0.125, scale.add -1.0, dequantisation.width nan)"),
        ({"scale": {"multiply": 0, "add": -1}}, "damaged (scale.multiply 0.0, scale.add -1.0, dequantisation.width 0.0)"),
        ({"scale": {"multiply": 1, "add": math.inf}}, "damaged (scale.multiply 1.0, scale.add inf, dequantisation.width 0.0)"),
    ],
)
def test_a_scale_that_cannot_be_is_refused(tmp_path, change, expected):
    prepare("name", options(kind="digits"), tmp_path)
    path = Path(tmp_path / "dataset.json")
    about = json.loads(path.read_text()) | change
    path.write_text(json.dumps({key: value for key, value in about.items() if value is not ...}))
    with pytest.raises(UserError) as error:
        load(tmp_path)
    assert str(error.value) == f"{path}: {expected}; expected the file that `rediffuse prepare` makes"


# --- options ---


@pytest.mark.parametrize(
    ("given", "key", "found", "expected"),
    [
        ({"kind": "heartbeat", "length": 4}, "length", "4", "at least period (5): every sequence has a 1"),
        ({"kind": "dead-leaves", "radius_max": 1.5}, "radius_max", "1.5", "at least radius_min (2.0)"),
        ({"kind": "textures", "size": 65}, "size", "65", "at most 64, a quarter of the photographs' 512 pixels shrunk by 2"),
    ],
)
def test_options_that_do_not_fit_are_refused(given, key, found, expected):
    with pytest.raises(ValidationError) as error:
        options(**given)
    (wrong,) = error.value.errors()
    assert wrong["ctx"] == {"key": key, "found": found, "expected": expected}


def test_options_at_their_limits():
    assert options(kind="heartbeat", length=5).period == 5
    assert options(kind="dead-leaves", radius_max=2).radius_max == 2
    assert options(kind="textures", size=64).size == 64
