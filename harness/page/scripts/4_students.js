// Students: one at a time, chosen by tab, link or address.
const students = all("article.student"), tabs = $("student-tabs");
let currentStudent = students[0];
function openStudent(article) {
  if (!article) return;
  currentStudent = article;
  students.forEach((a) => { a.hidden = a !== article; });
  all("button", tabs).forEach((b, i) => {
    b.setAttribute("aria-selected", students[i] === article);
    b.tabIndex = students[i] === article ? 0 : -1;
  });
}
function showStudent(student, teacher, scroll) {
  const article = students.find((a) => a.dataset.student === student && (!teacher || a.dataset.teacher === teacher));
  if (!article) return;
  openStudent(article);
  if (scroll) $("students").scrollIntoView();
  samples?.choose({ student, teacher: article.dataset.teacher });
  writeAddress({ student, teacher: article.dataset.teacher, task: "", prompt: "" });
}
if (students.length > 1) {
  tabs.hidden = false;
  const several = new Set(students.map((a) => a.dataset.teacher)).size > 1;
  for (const article of students) {
    const words = several ? `${article.dataset.student} ← ${article.dataset.teacher}` : article.dataset.student;
    const tab = make("button", { type: "button", textContent: words });
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", article.id);
    tab.addEventListener("click", () => { openStudent(article); follow(article); });
    tabs.append(tab);
  }
  tabs.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = (students.indexOf(currentStudent) + step + students.length) % students.length;
    openStudent(students[next]);
    follow(students[next]);
    tabs.children[next].focus();
  });
  openStudent(currentStudent);
}
function follow(article) {
  samples?.choose({ student: article.dataset.student, teacher: article.dataset.teacher });
  writeAddress({ student: article.dataset.student, teacher: article.dataset.teacher, task: "", prompt: "" });
}
