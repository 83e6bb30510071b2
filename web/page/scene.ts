/** The hands' meshes in three.js, to be turned: by mouse, touch and keys. */
import { coloursByFinger, type Hand } from "handscope";
import {
  AmbientLight,
  BufferAttribute,
  BufferGeometry,
  DirectionalLight,
  DoubleSide,
  Group,
  Mesh,
  MeshStandardMaterial,
  PerspectiveCamera,
  Scene,
  Spherical,
  Vector3,
  WebGLRenderer,
} from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";

const STEP = Math.PI / 18;

/** Shows hands on a canvas; undefined is what a browser without WebGL gets. */
export class MeshView {
  private readonly scene = new Scene();
  private readonly camera = new PerspectiveCamera(35, 1, 0.01, 20);
  private readonly hands = new Group();
  private readonly controls: OrbitControls;
  private framed = false;

  private constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly renderer: WebGLRenderer,
  ) {
    const sun = new DirectionalLight(0xffffff, 2.2);
    sun.position.set(-0.35, 0.55, 0.76);
    this.scene.add(new AmbientLight(0xffffff, 1.1), sun, this.hands);
    this.controls = new OrbitControls(this.camera, canvas);
    this.controls.addEventListener("change", () => this.render());
    canvas.addEventListener("keydown", (event) => this.turnByKey(event));
    new ResizeObserver(() => this.render()).observe(canvas);
  }

  static on(canvas: HTMLCanvasElement): MeshView | undefined {
    try {
      const renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true });
      renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
      return new MeshView(canvas, renderer);
    } catch {
      return undefined;
    }
  }

  /** Show these hands; `anew` looks at them as their camera did, else the view stays. */
  show(hands: readonly Hand[], anew: boolean): void {
    for (const child of this.hands.children) (child as Mesh).geometry.dispose();
    this.hands.clear();
    for (const hand of hands) this.hands.add(meshOf(hand));
    if (hands.length && (anew || !this.framed)) this.frame(hands);
    this.render();
  }

  /** Look at the hands from where their camera was, so near that they fill the view. */
  private frame(hands: readonly Hand[]): void {
    const joints = hands.flatMap((hand) => hand.joints_3d);
    const low = [0, 1, 2].map((i) => Math.min(...joints.map((joint) => joint[i]!)));
    const high = [0, 1, 2].map((i) => Math.max(...joints.map((joint) => joint[i]!)));
    const [x, y, z] = low.map((value, i) => (value + high[i]!) / 2) as [number, number, number];
    const size = Math.max(...low.map((value, i) => high[i]! - value), 0.05);
    const target = new Vector3(x, -y, -z);
    this.controls.target.copy(target);
    const away = (0.62 * size) / Math.tan((this.camera.fov * Math.PI) / 360);
    this.camera.position.copy(target).multiplyScalar(-1).normalize().multiplyScalar(away).add(target);
    this.framed = true;
    this.controls.update();
  }

  private turnByKey(event: KeyboardEvent): void {
    const turns: Record<string, [number, number, number]> = {
      ArrowLeft: [-STEP, 0, 1],
      ArrowRight: [STEP, 0, 1],
      ArrowUp: [0, -STEP, 1],
      ArrowDown: [0, STEP, 1],
      "+": [0, 0, 0.85],
      "-": [0, 0, 1 / 0.85],
    };
    const turn = turns[event.key];
    if (!turn) return;
    event.preventDefault();
    const target = this.controls.target;
    const seen = new Spherical().setFromVector3(this.camera.position.clone().sub(target));
    seen.theta += turn[0];
    seen.phi += turn[1];
    seen.radius *= turn[2];
    this.camera.position.setFromSpherical(seen.makeSafe()).add(target);
    this.controls.update();
  }

  private render(): void {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    this.renderer.setSize(width, height, false);
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
    this.renderer.render(this.scene, this.camera);
  }
}

function meshOf(hand: Hand): Mesh {
  const geometry = new BufferGeometry();
  const places = Float32Array.from(hand.vertices, (value, i) => (i % 3 === 0 ? value : -value)); // y up, z back
  const colours = Float32Array.from(coloursByFinger(hand), (level) => (level / 255) ** 2.2);
  geometry.setAttribute("position", new BufferAttribute(places, 3));
  geometry.setAttribute("color", new BufferAttribute(colours, 3));
  geometry.setIndex(new BufferAttribute(hand.faces, 1));
  geometry.computeVertexNormals();
  return new Mesh(geometry, new MeshStandardMaterial({ vertexColors: true, roughness: 0.7, side: DoubleSide }));
}
