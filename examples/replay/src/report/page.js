'use strict';
const destination = document.getElementById('destination');
const verdict = document.getElementById('verdict');
const all = selector => [...document.querySelectorAll(selector)];
function filter() {
  const wanted = verdict.value;
  const fill = verdict.selectedOptions[0].dataset.fill;
  for (const row of all('tr[data-verdict]')) {
    row.hidden = wanted !== '' && !row.dataset.verdict.split(' ').includes(wanted);
  }
  for (const shown of all('[data-destination]')) {
    const isOther = destination.value !== '' && shown.dataset.destination !== destination.value;
    const rows = shown.querySelectorAll('tr[data-verdict]');
    const isEmpty = rows.length > 0 && [...rows].every(row => row.hidden);
    const isFiltered = shown.matches('tr[data-verdict]') && wanted !== '' && !shown.dataset.verdict.split(' ').includes(wanted);
    shown.hidden = isOther || isEmpty || isFiltered;
  }
  for (const bar of all('.verdicts rect')) {
    bar.style.opacity = !fill || bar.getAttribute('fill') === fill ? 1 : 0.15;
  }
  const articles = all('article[data-destination]').filter(article => !article.hidden);
  const shown = new Set(articles.map(article => article.dataset.destination)).size;
  document.getElementById('shown').textContent = shown === 1 ? '1 destination shown' : shown + ' destinations shown';
}
destination.addEventListener('change', filter);
verdict.addEventListener('change', filter);
document.getElementById('all').addEventListener('click', () => {
  document.querySelector('form').reset();
  filter();
});
filter();
