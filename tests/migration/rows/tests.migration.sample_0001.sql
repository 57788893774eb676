INSERT INTO shelf (name) VALUES ('history');
INSERT INTO shelf (name) VALUES ('poetry');
