"""Hands as files, by what they are for. JSON and tables keep the camera frame; meshes are turned for viewers.

numbers (JSON, NPZ, MANO-style NPZ) | meshes (GLB, OBJ, PLY), animation, bvh, usd, built on gltf, rig and style |
openxr | printing (STL) | tables (CSV, COCO, `track_hands`) | robots (dex-retargeting) | files (writing, PNG).
docs/formats.md has the formats.
"""

from handscope.files import write_file as write_file
from handscope.infer.formats.animation import to_glb_animation as to_glb_animation
from handscope.infer.formats.bodies import to_smplx as to_smplx
from handscope.infer.formats.bodies import to_smplx_npz as to_smplx_npz
from handscope.infer.formats.bodies import wrist_pose as wrist_pose
from handscope.infer.formats.bvh import to_bvh as to_bvh
from handscope.infer.formats.files import to_png as to_png
from handscope.infer.formats.meshes import to_glb as to_glb
from handscope.infer.formats.meshes import to_obj as to_obj
from handscope.infer.formats.meshes import to_ply as to_ply
from handscope.infer.formats.numbers import SCHEMA_VERSION as SCHEMA_VERSION
from handscope.infer.formats.numbers import UNITS as UNITS
from handscope.infer.formats.numbers import HandDict as HandDict
from handscope.infer.formats.numbers import HandsDict as HandsDict
from handscope.infer.formats.numbers import hand_to_dict as hand_to_dict
from handscope.infer.formats.numbers import joint_angles as joint_angles
from handscope.infer.formats.numbers import schema as schema
from handscope.infer.formats.numbers import to_dict as to_dict
from handscope.infer.formats.numbers import to_json as to_json
from handscope.infer.formats.numbers import to_mano_npz as to_mano_npz
from handscope.infer.formats.numbers import to_npz as to_npz
from handscope.infer.formats.openxr import OPENXR_NAMES as OPENXR_NAMES
from handscope.infer.formats.openxr import XrHand as XrHand
from handscope.infer.formats.openxr import to_openxr as to_openxr
from handscope.infer.formats.openxr import to_openxr_csv as to_openxr_csv
from handscope.infer.formats.printing import to_stl as to_stl
from handscope.infer.formats.robots import to_retargeting as to_retargeting
from handscope.infer.formats.style import MeshStyle as MeshStyle
from handscope.infer.formats.tables import COCO_CATEGORY as COCO_CATEGORY
from handscope.infer.formats.tables import CSV_COLUMNS as CSV_COLUMNS
from handscope.infer.formats.tables import coco_annotation as coco_annotation
from handscope.infer.formats.tables import coco_image as coco_image
from handscope.infer.formats.tables import to_coco as to_coco
from handscope.infer.formats.tables import to_csv as to_csv
from handscope.infer.formats.tables import to_parquet as to_parquet
from handscope.infer.formats.tables import track_hands as track_hands
from handscope.infer.formats.usd import to_usd as to_usd
from handscope.infer.formats.usd import to_usd_animation as to_usd_animation
