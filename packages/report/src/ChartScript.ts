/**
 * Draws the curves in the page. Plain JavaScript as text, because it runs in a browser beside uPlot's global; the
 * colours come from the style sheet, so that a change between light, dark and paper only needs a new drawing.
 */
export const chartScript = `
(() => {
  const curves = JSON.parse(document.getElementById("curves").textContent)
  const sync = uPlot.sync("steps")
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim()
  const short = (value) => {
    if (value === 0) return "0"
    const size = Math.abs(value)
    return size < 1e-3 || size >= 1e5 ? value.toExponential(1).replace("e+", "e") : String(Number(value.toPrecision(4)))
  }
  const shown = (value) => (value == null ? "–" : short(value))
  const font = "12px " + getComputedStyle(document.body).fontFamily
  const ranges = {
    "free": (u, low, high) => uPlot.rangeNum(low, high, 0.08, true),
    "from zero": (u, low, high) => [0, high > 0 ? high * 1.08 : 1],
    "unit": (u, low, high) => [0, Math.min(1, Math.max(0.1, high * 1.08))],
  }
  const draw = (curve) => {
    // With no pointer in it, a chart tells its last values.
    const rest = (chart) => {
      if (chart.cursor.idx == null) chart.setLegend({ idx: curve.steps.length - 1 })
    }
    const place = document.getElementById("chart-" + curve.id)
    const axis = { stroke: color("soft"), font, grid: { stroke: color("line"), width: 1 }, ticks: { show: false } }
    const chart = new uPlot(
      {
        width: Math.max(120, place.clientWidth),
        height: 210,
        padding: [8, 14, 0, 0],
        legend: { markers: { width: 0, fill: (u, index) => (index === 0 ? "transparent" : color(curve.lines[index - 1].color)) } },
        hooks: { ready: [rest] },
        cursor: { sync: { key: sync.key, setSeries: false }, points: { size: 7 }, drag: { x: true, y: false } },
        scales: { x: { time: false }, y: { range: ranges[curve.scale] } },
        axes: [
          { ...axis, size: 30, space: 64, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6] },
          { ...axis, size: 54, space: 36, values: (u, ticks) => ticks.map(short) },
        ],
        series: [
          { label: "step", value: (u, value) => (value == null ? "–" : String(value)) },
          ...curve.lines.map((line) => ({
            label: line.label,
            stroke: color(line.color),
            width: line.style === "faint" ? 1 : 2,
            points: { show: line.style === "points" || curve.steps.length < 3, size: 6, fill: color(line.color) },
            spanGaps: line.style !== "faint",
            value: (u, value) => (value != null && curve.scale === "unit" ? value.toFixed(3) : shown(value)),
          })),
        ],
      },
      [curve.steps, ...curve.lines.map((line) => line.values)],
      place,
    )
    chart.over.addEventListener("mouseleave", () => setTimeout(() => rest(chart)))
    return { place, chart }
  }
  let charts = []
  const drawAll = () => {
    for (const { chart } of charts) chart.destroy()
    charts = curves.map(draw)
  }
  drawAll()
  const fit = () => {
    for (const { place, chart } of charts) {
      const width = Math.max(120, place.clientWidth)
      if (width !== chart.width) chart.setSize({ width, height: 210 })
    }
  }
  new ResizeObserver(fit).observe(document.querySelector(".curves") ?? document.body)
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll)
  // On paper everything is light.
  addEventListener("beforeprint", () => {
    document.documentElement.classList.add("paper")
    for (const example of document.querySelectorAll("details")) example.open = true
    drawAll()
  })
  addEventListener("afterprint", () => {
    document.documentElement.classList.remove("paper")
    drawAll()
  })
})()
`
