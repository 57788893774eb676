"""The programs that serve and train inside: installed into every built environment as `modelyard_programs`.

They run on Python 3.9 or newer, import nothing of Modelyard's, and beside the standard library only what the environment's
framework brings.
"""
