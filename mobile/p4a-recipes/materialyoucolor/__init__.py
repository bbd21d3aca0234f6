"""KivyMD 2 needs materialyoucolor 3.0.3 or later; python-for-android 2026.5.9 still carries 2.0.10."""

from pythonforandroid.recipes.materialyoucolor import MaterialyoucolorRecipe


class Materialyoucolor3(MaterialyoucolorRecipe):
    """The same build, of a later version."""

    name = "materialyoucolor"
    version = "3.0.4"


recipe = Materialyoucolor3()
