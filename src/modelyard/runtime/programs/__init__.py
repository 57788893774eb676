"""The programs that serve and train inside: installed into every built environment as `modelyard_programs`.

They run on Python 3.10 or newer, import nothing of Modelyard's, and beside the standard library only what the environment's
framework brings.
"""
