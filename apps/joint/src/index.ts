export { type AskJointSettings, type AskOptions, askJoint, type JointAnswer, openAsk } from "./AskJoint.ts"
export { type EvaluateJointSettings, evaluateJoint, type JointFigures } from "./EvaluateJoint.ts"
export { JointSettings } from "./Settings.ts"
export { trainJoint } from "./TrainJoint.ts"
