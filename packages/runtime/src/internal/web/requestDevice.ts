/** Limits that ONNX Runtime's kernels make use of, as far as the adapter goes. */
const limits = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
  "maxComputeWorkgroupsPerDimension",
] as const

const features = ["shader-f16", "subgroups", "timestamp-query"] as const

/**
 * The page's GPU with all that it offers. A device of our own, because sessions must share it with resident buffers:
 * ONNX Runtime makes another one when its last session has gone.
 */
export const requestDevice = async (): Promise<GPUDevice> => {
  if (typeof navigator === "undefined" || !("gpu" in navigator)) throw new Error("there is no navigator.gpu")
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" })
  if (adapter === null) throw new Error("the browser has no GPU adapter for this page")
  return adapter.requestDevice({
    requiredLimits: Object.fromEntries(limits.map((name) => [name, adapter.limits[name]])),
    requiredFeatures: features.filter((name) => adapter.features.has(name)),
  })
}
