"""The names of the files that make up an exported tagger: who writes them and who reads them agree here."""

TABLE_FILE = "words.npz"
GRAPH_FILE = "tagger.onnx"
DESCRIPTION_FILE = "tagger.json"
ACCURATE_FILE = "accurate.npz"
