// Writes the serialized values that tests of deltas compare. Run: java core/tests/java/Values.java
import java.io.ByteArrayOutputStream;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.Random;

class Values {
    static class Item implements Serializable {
        private static final long serialVersionUID = 1;
        int number;
        String title;
        BigDecimal price;
        LinkedHashMap<String, String> options = new LinkedHashMap<>();
    }

    private static final Random RANDOM = new Random(1);

    public static void main(String[] arguments) throws Exception {
        ArrayList<Item> cart = new ArrayList<>();
        for (int number = 0; number < 72; number++) {
            Item item = new Item();
            item.number = number;
            item.title = text(100);
            item.price = BigDecimal.valueOf(RANDOM.nextInt(100_000), 2);
            item.options.put("colour", text(12));
            item.options.put("size", text(4));
            cart.add(item);
        }
        write("cart", cart);
        Item middle = cart.get(30);
        String before = middle.title;
        middle.title = text(100);
        write("cart-title-rewritten", cart);
        middle.title = before + text(100);
        write("cart-title-longer", cart);
    }

    private static String text(int length) {
        StringBuilder text = new StringBuilder();
        RANDOM.ints(length, 'a', 'z' + 1).forEach(letter -> text.append((char) letter));
        return text.toString();
    }

    private static void write(String name, Object value) throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
            out.writeObject(value);
        }
        Files.write(Path.of("core/tests/java", name + ".ser"), bytes.toByteArray());
    }
}
