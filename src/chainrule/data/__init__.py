"""Data: examples with their meaning, from arrays, tables, files, the built-in digits or a known law."""

from __future__ import annotations

from chainrule.checks import answering
from chainrule.data.archives import read_npz
from chainrule.data.arrays import Options, from_arrays
from chainrule.data.bars_and_stripes import bars_and_stripes
from chainrule.data.catalogue import BUILT_IN, KINDS, load
from chainrule.data.chunks import chunks
from chainrule.data.columns import Column, Columns
from chainrule.data.counting import CountModel, block_mean
from chainrule.data.csv_file import read_table
from chainrule.data.dataset import Dataset
from chainrule.data.dataset_info import DatasetInfo
from chainrule.data.digits import mnist
from chainrule.data.duplicates import duplicates
from chainrule.data.examples import Example, Examples
from chainrule.data.faces import faces
from chainrule.data.form import Form
from chainrule.data.frame import as_table, is_frame
from chainrule.data.frame_files import read_frame
from chainrule.data.generators import CURVES, Curve, and_gate, blobs, circles, curve, moons, ring, spirals, xor
from chainrule.data.handwriting import centred_digit, drawn_digit
from chainrule.data.idx import read_idx
from chainrule.data.image_files import read_image, read_images
from chainrule.data.ising import CRITICAL_TEMPERATURE, ising, ising_temperatures
from chainrule.data.language import TEXT, decode, next_character, opinion_texts, opinions, story, text_vocabulary
from chainrule.data.markov import VILLAGE, WordChain
from chainrule.data.materials import composite_bulk_modulus, materials, materials_table
from chainrule.data.measured import with_errors
from chainrule.data.neighbours import NearDuplicate, near_duplicates
from chainrule.data.npy import read_npy
from chainrule.data.oscillators import coupled_motion, oscillators
from chainrule.data.pixels import landscape, picture, pixels, places
from chainrule.data.reconstructed import reconstruction
from chainrule.data.relabelled import WrongLabels, with_random_labels, with_wrong_labels
from chainrule.data.scaling import Scaling, to_digits
from chainrule.data.sequences import countdown, recall
from chainrule.data.splits import GroupSplit, RandomSplit, Split, SplitIndices, StratifiedSplit, TimeSplit
from chainrule.data.table import Table
from chainrule.data.tables import from_dataframe, from_table, read_csv
from chainrule.data.text import Vocabulary, characters, lengths, mask, words
from chainrule.data.text_input import TextInput

__all__ = [
    # what data are
    "Example", "Examples", "Dataset", "Scaling", "to_digits", "DatasetInfo", "Column", "Columns", "Table", "Form",
    # handwriting, made as MNIST's
    "centred_digit", "drawn_digit",
    # where they come from
    "from_arrays", "chunks", "read_csv", "read_npz", "read_npy", "read_frame", "read_image", "read_images", "read_idx",
    "from_dataframe", "from_table", "read_table", "as_table", "is_frame", "load", "Options",
    # how they are split
    "Split", "SplitIndices", "RandomSplit", "StratifiedSplit", "GroupSplit", "TimeSplit", "duplicates", "near_duplicates",
    "NearDuplicate",
    # errors beside the targets
    "with_errors",
    # labels changed on purpose
    "with_random_labels", "with_wrong_labels", "WrongLabels",
    # targets that are the inputs; a picture's pixels
    "reconstruction", "pixels", "places",
    # built in
    "BUILT_IN", "KINDS", "mnist", "and_gate", "xor", "blobs", "circles", "ring", "moons", "spirals", "curve", "Curve", "CURVES",
    "ising", "ising_temperatures", "CRITICAL_TEMPERATURE", "materials", "materials_table", "composite_bulk_modulus",
    "oscillators", "coupled_motion", "faces", "bars_and_stripes", "recall", "countdown", "picture", "landscape",
    # language
    "characters", "words", "Vocabulary", "TextInput", "CountModel", "block_mean", "WordChain", "VILLAGE", "mask", "lengths",
    "next_character", "TEXT", "story", "opinions", "opinion_texts", "text_vocabulary", "decode",
]  # fmt: skip

answering(globals())
