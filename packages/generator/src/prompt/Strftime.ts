const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
]

/** A time in UTC as Python's `strftime` writes it in English; directives of other kinds stay as they are. */
export const strftime = (time: Date, format: string): string => {
  const two = (value: number): string => `${value}`.padStart(2, "0")
  const month = months[time.getUTCMonth()] ?? ""
  const day = days[time.getUTCDay()] ?? ""
  const hours = time.getUTCHours()
  const dayOfYear = Math.floor((time.getTime() - Date.UTC(time.getUTCFullYear(), 0, 1)) / 86_400_000) + 1
  const values: Readonly<Record<string, string>> = {
    Y: `${time.getUTCFullYear()}`,
    y: two(time.getUTCFullYear() % 100),
    m: two(time.getUTCMonth() + 1),
    d: two(time.getUTCDate()),
    B: month,
    b: month.slice(0, 3),
    A: day,
    a: day.slice(0, 3),
    H: two(hours),
    I: two(hours % 12 === 0 ? 12 : hours % 12),
    p: hours < 12 ? "AM" : "PM",
    M: two(time.getUTCMinutes()),
    S: two(time.getUTCSeconds()),
    j: `${dayOfYear}`.padStart(3, "0"),
    "-d": `${time.getUTCDate()}`,
    "-m": `${time.getUTCMonth() + 1}`,
    "%": "%",
  }
  return format.replace(/%(-?[A-Za-z%])/g, (all, directive: string) => values[directive] ?? all)
}
