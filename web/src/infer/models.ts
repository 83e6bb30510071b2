/** The opened networks and hand model that a pipeline and its trackers share; mirrors `handscope.infer.models`. */
import { loadAsset, type HandAsset } from "../hand/assets";
import { Aligner } from "./aligner";
import { Assembler } from "./assembly";
import type { View } from "./crop-estimates";
import { Detector } from "./detector";
import { Estimator } from "./estimator";
import { Presence } from "./presence";
import { NAMES, openNetwork, useRuntime, type Manifest, type Network, type NetworkName } from "./weights";

/** Hands of a lower score are left out. */
export const MIN_SCORE = 0.6;

export class Models {
  constructor(
    readonly estimator: Estimator,
    readonly aligner: Aligner,
    readonly detector: Detector,
    private readonly presence: Presence,
    readonly assembler: Assembler,
    readonly minScore: number = MIN_SCORE,
  ) {}

  get asset(): HandAsset {
    return this.assembler.asset;
  }

  /** Probabilities that upright crops, each of its own picture, show hands. */
  async presences(views: readonly View[]): Promise<number[]> {
    return this.presence.judge(views);
  }
}

/** The networks opened from the files of a manifest. */
export async function openModels(
  manifest: Manifest,
  files: Record<keyof Manifest["files"], Uint8Array>,
  minScore = MIN_SCORE,
): Promise<Models> {
  useRuntime(files.runtime);
  const opened = {} as Record<NetworkName, Network>;
  for (const name of NAMES) opened[name] = await openNetwork(files[name], manifest.cards[name]);
  const threshold = opened.detector.card.threshold ?? 0.3;
  return new Models(
    new Estimator(opened.estimator),
    new Aligner(opened.aligner),
    new Detector(opened.detector, Math.min(threshold, minScore)),
    new Presence(opened.presence),
    new Assembler(await loadAsset(files.hand), opened.estimator.card),
    minScore,
  );
}
