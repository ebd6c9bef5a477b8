import { bytesOf, type Tensor } from "@tandem/onnx"
import type * as ort from "onnxruntime-web/wasm"

/** Flags of WebGPU's `GPUBufferUsage`. */
const usages = { mapRead: 0x1, copySource: 0x4, copyTarget: 0x8, storage: 0x80 } as const

type TensorFactory = Pick<typeof ort, "Tensor">

/**
 * A tensor with up to three copies: in the host's memory, in a buffer of a GPU, and in a second one for runs that read and
 * write it. The newest copy is brought to where it is asked for, and only then.
 */
export class DeviceTensor {
  readonly type: Tensor["type"]
  #host: Tensor
  #hostIsNewest = true
  #deviceIsNewest = false
  #device: GPUDevice | undefined
  #buffer: GPUBuffer | undefined
  #spare: GPUBuffer | undefined
  #writesSpare = false

  constructor(tensor: Tensor) {
    this.type = tensor.type
    this.#host = tensor
  }

  /** The tensor in host memory; read back first where the device holds a newer one. */
  async host(): Promise<Tensor> {
    if (!this.#hostIsNewest && this.#device !== undefined && this.#buffer !== undefined) {
      const bytes = bytesOf(this.#host)
      bytes.set((await readBack(this.#device, this.#buffer)).subarray(0, bytes.byteLength))
      this.#hostIsNewest = true
    }
    return this.#host
  }

  /** Puts another tensor of the same type and shape in its place. */
  replace(tensor: Tensor): void {
    this.#host = tensor
    this.changed()
  }

  /** Says that the host's array was changed in place. */
  changed(): void {
    this.#hostIsNewest = true
    this.#deviceIsNewest = false
  }

  /** The tensor on the device, for a run to read. */
  input({ Tensor: factory }: TensorFactory, device: GPUDevice): ort.Tensor {
    this.#buffer ??= this.#allocate(device)
    if (!this.#deviceIsNewest) {
      device.queue.writeBuffer(this.#buffer, 0, padded(bytesOf(this.#host)))
      this.#deviceIsNewest = true
    }
    return this.#wrap(factory, this.#buffer)
  }

  /** A place on the device for a run to write; a second one where the run also reads the tensor. */
  output({ Tensor: factory }: TensorFactory, device: GPUDevice, isRead: boolean): ort.Tensor {
    this.#writesSpare = isRead
    if (isRead) {
      this.#spare ??= this.#allocate(device)
      return this.#wrap(factory, this.#spare)
    }
    this.#buffer ??= this.#allocate(device)
    return this.#wrap(factory, this.#buffer)
  }

  /** Says that a run has written the place that `output` gave. */
  written(): void {
    if (this.#writesSpare) [this.#buffer, this.#spare] = [this.#spare, this.#buffer]
    this.#hostIsNewest = false
    this.#deviceIsNewest = true
  }

  release(): void {
    this.#buffer?.destroy()
    this.#spare?.destroy()
    this.#buffer = undefined
    this.#spare = undefined
  }

  #allocate(device: GPUDevice): GPUBuffer {
    this.#device = device
    const size = Math.max(16, Math.ceil(bytesOf(this.#host).byteLength / 16) * 16)
    return device.createBuffer({ size, usage: usages.storage | usages.copySource | usages.copyTarget })
  }

  #wrap(factory: typeof ort.Tensor, buffer: GPUBuffer): ort.Tensor {
    const dataType = deviceType(this.type)
    if (dataType === undefined) throw new Error(`WebGPU holds no ${this.type} tensors`)
    return factory.fromGpuBuffer(buffer, { dataType, dims: this.#host.dims })
  }
}

const deviceTypes = ["float32", "float16", "int32", "int64", "uint32", "uint8", "bool"] as const

/** The type as a GPU's buffers hold it, or undefined where they do not. */
export const deviceType = (type: Tensor["type"]): (typeof deviceTypes)[number] | undefined =>
  deviceTypes.find((known) => known === type)

/** Writes to a GPU's buffers are multiples of four bytes. */
const padded = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => {
  const whole = new Uint8Array(Math.ceil(bytes.byteLength / 4) * 4)
  whole.set(bytes)
  return whole
}

const readBack = async (device: GPUDevice, buffer: GPUBuffer): Promise<Uint8Array> => {
  const staging = device.createBuffer({ size: buffer.size, usage: usages.mapRead | usages.copyTarget })
  try {
    const encoder = device.createCommandEncoder()
    encoder.copyBufferToBuffer(buffer, 0, staging, 0, buffer.size)
    device.queue.submit([encoder.finish()])
    await staging.mapAsync(1)
    return new Uint8Array(staging.getMappedRange()).slice()
  } finally {
    staging.destroy()
  }
}
