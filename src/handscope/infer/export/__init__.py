"""Hands as files, by what they are for. JSON and tables keep the camera frame; meshes are turned for viewers.

numbers (JSON, NPZ, MANO-style NPZ) | meshes (GLB, OBJ, PLY), animation, built on gltf and rig | tables (CSV, COCO,
`track_hands`) | robots (dex-retargeting) | files (writing, PNG). docs/exports.md has the formats.
"""

from handscope.infer.export.animation import to_glb_animation as to_glb_animation
from handscope.infer.export.files import to_png as to_png
from handscope.infer.export.files import write_file as write_file
from handscope.infer.export.meshes import to_glb as to_glb
from handscope.infer.export.meshes import to_obj as to_obj
from handscope.infer.export.meshes import to_ply as to_ply
from handscope.infer.export.numbers import FORMAT_VERSION as FORMAT_VERSION
from handscope.infer.export.numbers import UNITS as UNITS
from handscope.infer.export.numbers import hand_to_dict as hand_to_dict
from handscope.infer.export.numbers import schema as schema
from handscope.infer.export.numbers import to_dict as to_dict
from handscope.infer.export.numbers import to_json as to_json
from handscope.infer.export.numbers import to_mano_npz as to_mano_npz
from handscope.infer.export.numbers import to_npz as to_npz
from handscope.infer.export.robots import to_retargeting as to_retargeting
from handscope.infer.export.tables import to_coco as to_coco
from handscope.infer.export.tables import to_csv as to_csv
from handscope.infer.export.tables import to_parquet as to_parquet
from handscope.infer.export.tables import track_hands as track_hands
