"""Every performance claim of this project is printed by this package.

Each benchmark measures us and a baseline side by side in one run, and gives ratios: an absolute figure says
something about a machine, a ratio about the software.
"""
