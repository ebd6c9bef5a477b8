export { JointSettings } from "./Settings.ts"
export { trainJoint } from "./TrainJoint.ts"
