/** The camera of a crop beside the picture's; mirrors `handscope.geometry.crop_camera`. */
import type { Crop } from "./crops";
import {
  length,
  nearestOrthogonal2,
  product3,
  solve3,
  times,
  type Matrix2,
  type Matrix3,
  type Point2,
  type Point3,
} from "./linear";
import { rotationBetween } from "./rotations";

function direction(pixel: Point2, K: Matrix3): Point3 {
  return solve3(K, [...pixel, 1]);
}

/** Unit direction in the camera `K` of what it sees at `pixel`. */
export function viewingRay(pixel: Point2, K: Matrix3): Point3 {
  const ray = direction(pixel, K);
  return times(ray, 1 / length(ray));
}

/** Crop px of a step in the plane z = 1 of the camera `K`. */
export function metricMap(crop: Crop, K: Matrix3): Matrix2 {
  const [[a, b], [c, d]] = crop.linear;
  return [
    [a * K[0][0] + b * K[1][0], a * K[0][1] + b * K[1][1]],
    [c * K[0][0] + d * K[1][0], c * K[0][1] + d * K[1][1]],
  ];
}

/** The map of directions in the full picture's camera to the crop's camera; its transpose leads back. */
export function fullToCropAxes(crop: Crop, K: Matrix3): Matrix3 {
  const [[a, b], [c, d]] = nearestOrthogonal2(metricMap(crop, K));
  const inPlane: Matrix3 = [
    [a, b, 0],
    [c, d, 0],
    [0, 0, 1],
  ];
  return product3(inPlane, rotationBetween(direction(crop.centre, K), [0, 0, 1]));
}
