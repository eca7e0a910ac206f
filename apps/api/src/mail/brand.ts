/** How mails look. Change it for your product. Mail programs support colours in hexadecimal only, and no web fonts. */
export const brand = {
  name: 'Quoin',
  /** Of buttons and links. White text on it needs a contrast of 4.5 (WCAG 2.2, 1.4.3). */
  accent: '#0b5c73',
  ink: '#1d2326',
  soft: '#5d666b',
  paper: '#f5f3ee',
  card: '#ffffff',
  line: '#dedad1',
};
