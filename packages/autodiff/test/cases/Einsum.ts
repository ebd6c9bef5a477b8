import { string } from "@tandem/onnx"
import { type Case, type Cases, spread } from "./Values.ts"

const einsum = (equation: string, ...shapes: readonly (readonly number[])[]): Case => ({
  name: `${equation} of ${shapes.map((dims) => `[${dims}]`).join(" ")}`,
  inputs: shapes.map((dims, index) => spread(dims, -1.5, 1.7, index + 1)),
  attributes: { equation: string(equation) },
  wrt: [...shapes.keys()],
})

export const einsumCases: Cases = {
  Einsum: [
    einsum("ij,jk->ik", [2, 3], [3, 4]),
    einsum("ij,kj->ik", [2, 3], [4, 3]),
    einsum("ij,jk", [2, 3], [3, 4]),
    einsum("bhqd,bhkd->bhqk", [2, 2, 3, 4], [2, 2, 5, 4]),
    einsum("bhqk,bhkd->bqhd", [2, 2, 3, 4], [2, 2, 4, 3]),
    einsum(" b i d , e d -> b i e ", [2, 3, 4], [5, 4]),
    einsum("...ij,...jk->...ik", [2, 2, 3], [2, 3, 4]),
    einsum("...ij,jk->...ik", [2, 2, 2, 3], [3, 4]),
    einsum("...ij,...jk->...ik", [1, 2, 3], [4, 3, 2]),
    einsum("b...i,b...i->b...", [2, 3, 4], [2, 1, 4]),
    einsum("ij,ij->i", [2, 3], [2, 1]),
    einsum("i,j->ij", [2], [3]),
    einsum("i,i->", [3], [3]),
    einsum("i,i", [3], [3]),
    einsum("ij->ji", [2, 3]),
    einsum("ij->i", [2, 3]),
    einsum("ij->", [2, 3]),
    einsum("ijk,jk->i", [2, 3, 4], [3, 4]),
    einsum("ij,kl->il", [2, 3], [4, 2]),
    einsum("ab,bc,cd->ad", [2, 3], [3, 2], [2, 4]),
    einsum("ii->i", [3, 3]),
    einsum("ii->", [3, 3]),
    einsum("bii->bi", [2, 3, 3]),
    einsum("...i->...", [2, 3, 2]),
  ],
}
