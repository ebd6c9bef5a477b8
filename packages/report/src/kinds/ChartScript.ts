/**
 * Draws the charts in the page. Plain JavaScript as text, because it runs in a browser beside uPlot's global; the
 * colours come from the style sheet, so that a change between light, dark and paper only needs a new drawing.
 */
export const chartScript = `
(() => {
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim()
  const short = (value) => {
    if (value === 0) return "0"
    const size = Math.abs(value)
    return size < 1e-3 || size >= 1e5 ? value.toExponential(1).replace("e+", "e") : String(Number(value.toPrecision(4)))
  }
  const seconds = (value) => (value >= 1 ? Number(value.toPrecision(3)) + " s" : Number((value * 1000).toPrecision(3)) + " ms")
  const font = "12px " + getComputedStyle(document.body).fontFamily
  const height = 224
  const places = [...document.querySelectorAll("[data-chart]")]
  const charts = places.map((place) => JSON.parse(place.dataset.chart))

  // What an axis shows of low to high: never more than the chart leaves in.
  const ranges = {
    "free": (low, high) => uPlot.rangeNum(low, high, 0.08, true),
    "from zero": (low, high) => [0, high > 0 ? high * 1.08 : 1],
    "unit": (low, high) => [0, Math.min(1, Math.max(0.1, high * 1.08))],
    "log": (low, high) => [low / 1.15, high * 1.15],
  }
  const range = ({ scale, lines, within }) => (u, low, high) => {
    if (low == null) return [scale === "log" ? 0.1 : 0, 1]
    for (const [least, most] of lines.flatMap((line) => line.spread ?? [])) [low, high] = [Math.min(low, least), Math.max(high, most)]
    if (within) [low, high] = [Math.max(low, within[0]), Math.min(high, within[1])]
    return ranges[scale](low, Math.max(low, high))
  }
  // Ticks of a logarithmic axis: 1, 2 and 5 of each power of ten, or the powers alone where there are many.
  const powers = (u, axis, low, high) => {
    const steps = Math.log10(high / low) > 2.5 ? [1] : [1, 2, 5]
    const ticks = []
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
      for (const step of steps) if (step * 10 ** power >= low && step * 10 ** power <= high) ticks.push(step * 10 ** power)
    return ticks
  }

  const bars = (chart) => (u) => {
    for (const line of chart.lines) {
      if (!line.spread) continue
      u.ctx.save()
      u.ctx.strokeStyle = color(line.color)
      u.ctx.globalAlpha = 0.6
      u.ctx.setLineDash([])
      u.ctx.lineWidth = 2 * devicePixelRatio
      line.spread.forEach(([low, high], index) => {
        const x = u.valToPos(chart.x[index], "x", true)
        u.ctx.beginPath()
        u.ctx.moveTo(x, u.valToPos(low, "y", true))
        u.ctx.lineTo(x, u.valToPos(high, "y", true))
        u.ctx.stroke()
      })
      u.ctx.restore()
    }
  }
  const mark = ({ marked }) => (u) => {
    if (!marked || marked.at < u.scales.x.min || marked.at > u.scales.x.max) return
    const { ctx, bbox } = u
    const x = Math.round(u.valToPos(marked.at, "x", true))
    ctx.save()
    ctx.strokeStyle = ctx.fillStyle = color("soft")
    ctx.lineWidth = devicePixelRatio
    ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio])
    ctx.beginPath()
    ctx.moveTo(x, bbox.top - 3 * devicePixelRatio)
    ctx.lineTo(x, bbox.top + bbox.height)
    ctx.stroke()
    ctx.font = 11 * devicePixelRatio + font.slice(font.indexOf("px"))
    ctx.textBaseline = "bottom"
    ctx.textAlign = x > bbox.left + bbox.width / 2 ? "right" : "left"
    ctx.fillText(marked.label, x + (ctx.textAlign === "right" ? 2 : -2) * devicePixelRatio, bbox.top - 4 * devicePixelRatio)
    ctx.restore()
  }

  const draw = (chart, index) => {
    const place = places[index]
    const { x, lines, scale, along = "step", growing = false } = chart
    const shown = (value) => {
      if (value == null) return "–"
      return chart.unit === "seconds" ? seconds(value) : scale === "unit" ? value.toFixed(3) : short(value)
    }
    // With no pointer in it, a chart tells its last values.
    const rest = (plot) => {
      if (plot.cursor.idx == null) plot.setLegend({ idx: x.length - 1 })
    }
    const axis = { stroke: color("soft"), font, grid: { stroke: color("line"), width: 1 }, ticks: { show: false } }
    const across = growing
      ? { size: 44, label: along, labelSize: 18, labelFont: font, splits: () => x, values: () => x.map(String), filter: (u, splits) => splits }
      : { size: 30, space: 64, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6] }
    const upwards = scale === "log" ? { splits: powers, filter: (u, splits) => splits } : {}
    const tick = chart.unit === "seconds" ? seconds : short
    const plot = new uPlot(
      {
        width: Math.max(120, place.clientWidth),
        height,
        padding: [chart.marked ? 20 : 8, 14, 0, 0],
        legend: { markers: { width: 0, fill: (u, series) => (series === 0 ? "transparent" : color(lines[series - 1].color)) } },
        hooks: { ready: [rest], draw: [bars(chart), mark(chart)] },
        cursor: { ...(growing ? {} : { sync: { key: along, setSeries: false } }), points: { size: 7 }, drag: { x: !growing, y: false } },
        scales: {
          x: growing ? { time: false, distr: 3, log: 2, range: () => [x[0] / 1.25, x.at(-1) * 1.25] } : { time: false },
          y: { distr: scale === "log" ? 3 : 1, range: range(chart) },
        },
        axes: [
          { ...axis, ...across },
          { ...axis, ...upwards, size: chart.unit ? 62 : 54, space: 36, values: (u, ticks) => ticks.map(tick) },
        ],
        series: [
          { label: growing ? "size" : along, value: (u, value) => (value == null ? "–" : String(value)) },
          ...lines.map((line) => ({
            label: line.label,
            stroke: color(line.color),
            width: { faint: 1, dots: 0 }[line.style] ?? 2,
            ...(line.style === "dashed" ? { dash: [6, 4] } : {}),
            points: { show: ["points", "dots"].includes(line.style) || (x.length < 3 && line.style !== "dashed"), size: line.style === "dots" ? 8 : 6, fill: color(line.color) },
            spanGaps: line.style !== "faint",
            value: (u, value) => shown(value),
          })),
        ],
      },
      [x, ...lines.map((line) => line.values)],
      place,
    )
    plot.over.addEventListener("mouseleave", () => setTimeout(() => rest(plot)))
    return plot
  }

  let plots = []
  const drawAll = () => {
    for (const plot of plots) plot.destroy()
    plots = charts.map(draw)
  }
  drawAll()
  const fit = () =>
    plots.forEach((plot, index) => {
      const width = Math.max(120, places[index].clientWidth)
      if (width !== plot.width) plot.setSize({ width, height })
    })
  for (const group of document.querySelectorAll(".curves")) new ResizeObserver(fit).observe(group)
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll)
  // On paper everything is light.
  addEventListener("beforeprint", () => {
    document.documentElement.classList.add("paper")
    drawAll()
  })
  addEventListener("afterprint", () => {
    document.documentElement.classList.remove("paper")
    drawAll()
  })
})()
`
