/** Draws the scaling plots in the page, beside uPlot's global; colours come from the style sheet. */
export const pageScript = `
(() => {
  const scalings = JSON.parse(document.getElementById("scalings").textContent)
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim()
  const font = "12px " + getComputedStyle(document.body).fontFamily
  const time = (value) => (value >= 1 ? Number(value.toPrecision(3)) + " s" : Number((value * 1000).toPrecision(3)) + " ms")
  const around = (values) => [Math.min(...values) / 1.25, Math.max(...values) * 1.25]
  const draw = (scaled, index) => {
    const place = document.getElementById("scaling-" + index)
    const sizes = scaled.points.map((point) => point.size)
    const medians = scaled.points.map((point) => point.seconds.median)
    const law = sizes.map((size) => scaled.factor * size ** scaled.exponent)
    const all = scaled.points.flatMap((point) => [point.seconds.min, point.seconds.max])
    const [low, high] = around([...all, ...law])
    const ticks = []
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
      for (const step of [1, 2, 5]) if (step * 10 ** power >= low && step * 10 ** power <= high) ticks.push(step * 10 ** power)
    const axis = { stroke: color("soft"), font, grid: { stroke: color("line"), width: 1 }, ticks: { show: false } }
    // Whiskers from the least to the largest.
    const whiskers = (u) => {
      u.ctx.save()
      u.ctx.strokeStyle = color("after")
      u.ctx.globalAlpha = 0.6
      u.ctx.setLineDash([])
      u.ctx.lineWidth = 2 * devicePixelRatio
      for (const point of scaled.points) {
        const x = u.valToPos(point.size, "x", true)
        u.ctx.beginPath()
        u.ctx.moveTo(x, u.valToPos(point.seconds.min, "y", true))
        u.ctx.lineTo(x, u.valToPos(point.seconds.max, "y", true))
        u.ctx.stroke()
      }
      u.ctx.restore()
    }
    return new uPlot(
      {
        width: Math.max(120, place.clientWidth),
        height: 230,
        padding: [8, 18, 0, 0],
        legend: { markers: { width: 0, fill: (u, series) => (series === 0 ? "transparent" : color(series === 1 ? "after" : "bm25")) } },
        hooks: { draw: [whiskers], ready: [(chart) => chart.setLegend({ idx: sizes.length - 1 })] },
        cursor: { drag: { x: false, y: false }, points: { size: 7 } },
        scales: { x: { time: false, distr: 3, log: 2, range: () => around(sizes) }, y: { distr: 3, range: () => [low, high] } },
        axes: [
          { ...axis, size: 44, label: scaled.axis, labelSize: 18, labelFont: font, splits: () => sizes, values: () => sizes.map(String), filter: (u, splits) => splits },
          { ...axis, size: 62, splits: () => ticks, values: () => ticks.map(time), filter: (u, splits) => splits },
        ],
        series: [
          { label: "size", value: (u, value) => (value == null ? "–" : String(value)) },
          { label: "median", stroke: color("after"), width: 0, points: { show: true, size: 8, fill: color("after") }, value: (u, value) => (value == null ? "–" : time(value)) },
          { label: "power law", stroke: color("bm25"), width: 1.5, dash: [6, 4], points: { show: false }, value: (u, value) => (value == null ? "–" : time(value)) },
        ],
      },
      [sizes, medians, law],
      place,
    )
  }
  let charts = []
  const drawAll = () => {
    for (const chart of charts) chart.destroy()
    charts = scalings.map(draw)
  }
  drawAll()
  let before = innerWidth
  addEventListener("resize", () => {
    if (innerWidth !== before) drawAll()
    before = innerWidth
  })
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll)
})()
`
