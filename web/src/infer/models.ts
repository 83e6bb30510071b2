/** The opened networks and hand model that a pipeline and its trackers share; mirrors `handscope.infer.models`. */
import { loadAsset, type HandAsset } from "../hand/assets";
import { Aligner } from "./aligner";
import { Assembler } from "./assembly";
import { Context } from "./context";
import type { Picture } from "../geometry/pictures";
import type { CropEstimate } from "./crop-estimates";
import { asked } from "./crop-policy";
import { Detector } from "./detector";
import { Estimator } from "./estimator";
import { Presence } from "./presence";
import { Network, Runtime, type Running, type WantedDevice } from "./runtime";
import type { Manifest, NetworkName, Shelf } from "./weights";

/** Hands of a lower score are left out. */
export const MIN_SCORE = 0.6;
/** The least score of the detector's that is looked at; a card may ask for less. */
const PROPOSED = 0.08;

export class Models {
  constructor(
    /** Where the networks run. */
    readonly running: Running,
    readonly estimator: Estimator,
    readonly aligner: Aligner,
    readonly detector: Detector,
    private readonly presence: Presence,
    /** Who judges by what lies round a hand. */
    readonly context: Context,
    readonly assembler: Assembler,
    readonly minScore: number = MIN_SCORE,
  ) {}

  get asset(): HandAsset {
    return this.assembler.asset;
  }

  /** Probabilities that estimates of `picture` are of hands, by the judge. */
  async judged(picture: Picture, found: readonly CropEstimate[]): Promise<number[]> {
    return this.presence.judge(found.map((estimate) => ({ picture, crop: asked(estimate) })));
  }
}

/** The hand model and networks of a manifest, on the wanted device. */
export async function openModels(
  manifest: Manifest,
  shelf: Shelf,
  { minScore = MIN_SCORE, device }: { minScore?: number | undefined; device?: WantedDevice | undefined },
): Promise<Models> {
  const runtime = await Runtime.open(shelf, device);
  const network = (name: NetworkName): Network => new Network(runtime, name, manifest.cards[name]);
  const threshold = Math.min(manifest.cards.detector.threshold ?? 0.3, PROPOSED, minScore);
  const { hand } = await shelf.read(["hand"]);
  return new Models(
    runtime.running,
    new Estimator(network("estimator")),
    new Aligner(network("aligner")),
    new Detector(network("detector"), threshold),
    new Presence(network("presence")),
    new Context(network("context")),
    new Assembler(await loadAsset(hand), manifest.cards.estimator),
    minScore,
  );
}
